"""Tables and sentences, over HTTP and `bascule predict`, held against what scikit-learn and ONNX Runtime said."""

import csv
import http.client
import io
import json
import shutil
import subprocess

import pytest
from bascule import BINARY, DATA, SHARED, Server

GENERAL = DATA / "general"
WINE_COLUMNS = (
    "alcohol,malic_acid,ash,alcalinity_of_ash,magnesium,total_phenols,flavanoids,nonflavanoid_phenols,"
    "proanthocyanins,color_intensity,hue,od280_od315_of_diluted_wines,proline"
).split(",")


def golden(name):
    here = DATA / "expected/general" / f"{name}.json"
    return json.loads((here if here.exists() else SHARED / "expected/general" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The models, and the wine classifier once more with named columns and labels."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("sms_spam", "iris_zipmap", "wine_classifier"):
        shutil.copy(GENERAL / f"{name}.onnx", folder)
    shutil.copy(GENERAL / "wine_classifier.onnx", folder / "wine.onnx")
    (folder / "wine.yaml").write_text(
        f"columns: [{', '.join(WINE_COLUMNS)}]\nlabels: [barolo, grignolino, barbera]\n"
    )
    return folder


@pytest.fixture(scope="module")
def server(models):
    with Server(models) as running:
        yield running


def post(server, path, body, content_type="application/json", accept=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Content-Type": content_type, **({"Accept": accept} if accept else {})}
    connection.request("POST", path, body if isinstance(body, (bytes, str)) else json.dumps(body), headers)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, reply.getheader("Content-Type"), text


def rows_of(server, path, body, **how):
    status, _, text = post(server, path, body, **how)
    assert status == 200, text
    return json.loads(text)["rows"]


def close(answered, expected):
    assert answered.keys() == expected.keys()
    for name, value in expected.items():
        assert answered[name] == pytest.approx(value, abs=1e-6), name


def test_sentences_are_answered_with_label_and_probabilities(server):
    expected = golden("sms_spam")
    texts = [row[0] for row in expected["inputs"]["text"]]
    rows = rows_of(server, "/models/sms_spam/predict", {"text": texts})
    assert [row["label"] for row in rows] == expected["outputs"]["label"]
    for row, (ham, spam) in zip(rows, expected["outputs"]["probabilities"]):
        close(row["probabilities"], {"ham": ham, "spam": spam})
    assert rows_of(server, "/models/sms_spam/predict", texts[3], content_type="text/plain") == [rows[3]]
    assert rows_of(server, "/models/sms_spam/predict", {"rows": [{"text": texts[3]}]}) == [rows[3]]


def test_rows_by_place_and_a_map_that_names_its_classes(server):
    expected = golden("iris_zipmap")
    rows = rows_of(server, "/models/iris_zipmap/predict", {"rows": expected["inputs"]["x"]})
    assert [row["label"] for row in rows] == expected["outputs"]["label"]
    for row, probabilities in zip(rows, expected["outputs"]["probabilities"]):
        close(row["probabilities"], probabilities)


def test_rows_by_name_in_any_order_and_as_csv(server):
    expected = golden("wine_classifier")
    names = ["barolo", "grignolino", "barbera"]
    data = [dict(reversed(list(zip(WINE_COLUMNS, row)))) for row in expected["inputs"]["features"]]
    rows = rows_of(server, "/models/wine/predict", {"rows": data})
    assert [row["label"] for row in rows] == [names[label] for label in expected["outputs"]["label"]]
    for row, probabilities in zip(rows, expected["outputs"]["probabilities"]):
        close(row["probabilities"], dict(zip(names, probabilities)))
    table = io.StringIO()
    writer = csv.DictWriter(table, list(data[0]))
    writer.writeheader()
    writer.writerows(data)
    status, content_type, text = post(server, "/models/wine/predict", table.getvalue(), content_type="text/csv")
    assert status == 200 and content_type.startswith("text/csv")
    answers = list(csv.DictReader(io.StringIO(text)))
    assert list(answers[0]) == ["label", *(f"probabilities.{name}" for name in names)]
    assert [answer["label"] for answer in answers] == [row["label"] for row in rows]
    assert float(answers[0]["probabilities.barolo"]) == rows[0]["probabilities"]["barolo"]
    assert rows_of(server, "/models/wine/predict", table.getvalue(), content_type="text/csv", accept="application/json") == rows


def test_a_regressor_answers_with_its_value(shared):
    expected = json.loads((shared / "expected/general/diabetes_regressor.json").read_text())
    with Server(shared / "models/general/diabetes_regressor.onnx") as server:
        rows = rows_of(server, "/predict", {"rows": expected["inputs"]["features"]})
    (outputs,) = expected["outputs"].values()
    for row, value in zip(rows, outputs):
        assert row["value"] == pytest.approx(value[0] if isinstance(value, list) else value, rel=1e-5)


def test_the_row_format_of_tensorflow_serving(server):
    expected = golden("wine_classifier")
    body = {"signature_name": "serving_default", "instances": expected["inputs"]["features"][:2]}
    status, _, text = post(server, "/models/wine_classifier/predict", body)
    assert status == 200, text
    predictions = json.loads(text)["predictions"]
    assert [one["label"] for one in predictions] == expected["outputs"]["label"][:2]
    assert predictions[1]["probabilities"] == pytest.approx(expected["outputs"]["probabilities"][1], abs=1e-6)


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("wine", {"rows": [{"alcohol": 13}]}, "Row 1: column 'malic_acid' is missing; the model takes alcohol, malic_acid"),
        ("wine", {"rows": [dict.fromkeys([*WINE_COLUMNS, "year"], 1)]}, "Row 1: column 'year' is none of the model's"),
        ("wine", {"rows": [dict.fromkeys(WINE_COLUMNS, 1), dict.fromkeys(WINE_COLUMNS, "1")]}, "Row 2, column 'alcohol' is '1'; a number"),
        ("wine", {"rows": [dict.fromkeys(WINE_COLUMNS, None)]}, "Row 1, column 'alcohol' is null; a number"),
        ("wine", {"rows": [[1, 2]]}, "Row 1 has 2 values; the model takes 13 columns: alcohol"),
        ("iris_zipmap", {"rows": [{"a": 1, "b": 2, "c": 3, "d": 4}]}, "name its 4 columns in its model.yaml"),
        ("sms_spam", {"rows": [[1]]}, "Row 1, column 'text' is 1; text was expected."),
        ("sms_spam", {"sentence": "x"}, "Unknown member 'sentence'"),
    ],
)
def test_errors_name_row_and_column(server, path, body, says):
    status, _, text = post(server, f"/models/{path}/predict", body)
    assert status == 400 and says in json.loads(text)["error"], text


def test_the_wrong_kind_is_told_with_a_call_that_works(server):
    picture = (DATA / "pictures").glob("*.jpg").__next__().read_bytes()
    for model in ("wine", "iris_zipmap", "sms_spam"):
        status, _, text = post(server, f"/models/{model}/predict", picture, content_type="image/jpeg")
        error = json.loads(text)["error"]
        assert status == 400 and "not pictures. Try: curl " in error, text
        call = error[error.index("curl ") :] + " -s --fail"
        done = subprocess.run(call, shell=True, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "label" in json.loads(done.stdout)["rows"][0], call


def test_a_table_beyond_the_limit_is_refused(models):
    with Server(models / "iris_zipmap.onnx", "--max-json-bytes", 4096) as server:
        status, _, text = post(server, "/predict", "a,b,c,d\n" + "1,2,3,4\n" * 1000, content_type="text/csv")
        assert status == 413 and "The rows have 8008 bytes; the limit for text is 4096." in text
        assert len(rows_of(server, "/predict", {"rows": [[1, 2, 3, 4]] * 100})) == 100


def test_a_route_without_a_model_means_the_one_that_fits(models):
    detector = DATA / "yolo/yolo26n-cls.onnx"
    with Server(models / "sms_spam.onnx", detector) as server:
        assert rows_of(server, "/predict", {"text": "hello"})[0]["label"] == "ham"
        status, _, text = post(server, "/models/yolo26n-cls/predict", {"text": "hello"})
        error = json.loads(text)["error"]
        assert status == 400 and "takes pictures, not rows. Try: curl -F file=@picture.jpg" in error


def predict(*words, stdin=None):
    done = subprocess.run([BINARY, "predict", *map(str, words)], input=stdin, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_predict_answers_the_same(server, models, tmp_path):
    expected = golden("wine_classifier")
    table = tmp_path / "wine.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(WINE_COLUMNS)
        writer.writerows(expected["inputs"]["features"] * 60)  # several blocks
    code, out, err = predict(models / "wine.onnx", table)
    assert code == 0, err
    _, _, served = post(server, "/models/wine/predict", table.read_text(), content_type="text/csv")
    ours, theirs = (list(csv.reader(io.StringIO(text))) for text in (out, served))
    assert ours[0] == theirs[0] and [row[0] for row in ours] == [row[0] for row in theirs]
    for one, other in zip(ours[1:], theirs[1:]):  # runs of other lengths differ in the last digit
        assert [float(value) for value in one[1:]] == pytest.approx([float(value) for value in other[1:]], abs=1e-6)
    code, out, err = predict(models / "wine.onnx", "-", "--json", stdin=json.dumps({"rows": expected["inputs"]["features"]}))
    assert code == 0, err
    assert json.loads(out)["rows"] == rows_of(server, "/models/wine/predict", {"rows": expected["inputs"]["features"]})


def test_predict_takes_sentences(models, tmp_path):
    code, out, err = predict(models / "sms_spam.onnx", "--text", "free prize, call now", "--json")
    assert code == 0, err
    assert json.loads(out)["rows"][0]["label"] == "spam"
    (tmp_path / "lines.txt").write_text("see you at lunch\n\nfree prize, call now\r\n")
    code, out, err = predict(models / "sms_spam.onnx", tmp_path / "lines.txt")
    assert [line.split(",")[0] for line in out.splitlines()] == ["label", "ham", "spam"], err


def test_predict_tells_what_is_wrong_and_where(models, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b,c,d\n5.1,3.5,1.4,0.2\n5.1,x,1.4,0.2\n")
    code, _, err = predict(models / "iris_zipmap.onnx", bad)
    assert code == 1 and "Row 2, column 2 is 'x'; a number was expected." in err
    code, _, err = predict(models / "iris_zipmap.onnx", DATA / "pictures" / "fruit_101_0000.jpg")
    assert code == 1 and "takes rows: give a file of .csv, .json or .txt" in err


def test_a_description_that_does_not_fit_is_an_error_at_load(models, tmp_path):
    shutil.copy(GENERAL / "wine_classifier.onnx", tmp_path)
    (tmp_path / "wine_classifier.yaml").write_text("columns: [a, b]\n")
    done = subprocess.run([BINARY, "inspect", tmp_path / "wine_classifier.onnx"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "'columns' names 2, the model takes 13" in done.stderr


def test_inspect_proposes_names_for_columns():
    done = subprocess.run([BINARY, "inspect", GENERAL / "iris_zipmap.onnx"], capture_output=True, text=True, timeout=60)
    assert "columns: [column1, column2, column3, column4]" in done.stdout
    assert "4 columns, meant by their place; answers: label, probabilities by class" in done.stdout
