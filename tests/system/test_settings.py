"""Log and trace settings with tritonclient over HTTP and gRPC: told as they are, and of them only the level changes."""

import pytest
import tritonclient.grpc
import tritonclient.http
from bascule import DATA, Server
from tritonclient.utils import InferenceServerException

TRACE = {"trace_level": ["OFF"], "trace_rate": "1000", "trace_count": "-1", "log_frequency": "0", "trace_file": ""}


@pytest.fixture(scope="module")
def server():
    with Server(DATA / "general", "--grpc-port", "0") as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def client(server, request):
    if request.param == "http":
        with tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=60.0) as client:
            yield client
        return
    address = next(line.split()[-1] for line in server.lines if line.startswith("gRPC on "))
    with tritonclient.grpc.InferenceServerClient(address) as client:
        yield client


def plain(settings) -> dict:
    """A reply of either client as a dict."""
    if isinstance(settings, dict):
        return settings
    out = {}
    for name, value in settings.settings.items():
        if hasattr(value, "value"):
            out[name] = list(value.value) if name == "trace_level" else value.value[0]
        else:
            out[name] = getattr(value, value.WhichOneof("parameter_choice"))
    return out


def test_the_level_changes_and_nothing_else(server, client):
    before = plain(client.get_log_settings())
    assert before == {
        "log_file": "",
        "log_info": True,
        "log_warning": True,
        "log_error": True,
        "log_verbose_level": 0,
        "log_format": "default",
    }
    try:
        assert plain(client.update_log_settings({"log_verbose_level": 1}))["log_verbose_level"] == 1
        server.get("/v2/models/add_one?loud")
        assert "GET /v2/models/add_one" in server.log()
        quiet = plain(client.update_log_settings({"log_verbose_level": 0, "log_info": False}))
        assert quiet == {**before, "log_info": False}
        assert plain(client.get_log_settings()) == quiet
        size = len(server.log())
        server.get("/v2/models/add_one")
        assert len(server.log()) == size
    finally:
        assert plain(client.update_log_settings(before)) == before


@pytest.mark.parametrize(
    "change", [{"log_file": "logs/remote.log"}, {"log_file": "../x"}, {"log_format": "ISO8601"}]
)
def test_where_logs_go_is_not_changed_over_the_network(client, change):
    with pytest.raises(InferenceServerException, match="not changed over the network"):
        client.update_log_settings(change)


def test_levels_with_a_gap_are_refused(client):
    with pytest.raises(InferenceServerException, match="log_info true, log_warning false"):
        client.update_log_settings({"log_warning": False})


@pytest.mark.parametrize("model", [None, "add_one"])
def test_requests_are_not_traced_and_it_says_so(client, model):
    assert plain(client.get_trace_settings(model_name=model)) == TRACE
    assert plain(client.update_trace_settings(model_name=model, settings={"trace_level": "OFF"})) == TRACE
    assert plain(client.update_trace_settings(model_name=model, settings={"trace_rate": None})) == TRACE
    with pytest.raises(InferenceServerException, match="not traced"):
        client.update_trace_settings(model_name=model, settings={"trace_level": ["TIMESTAMPS"]})
    with pytest.raises(InferenceServerException, match="not traced"):
        client.update_trace_settings(model_name=model, settings={"trace_file": "traces/remote.json"})


def test_traces_of_an_unknown_model(client):
    with pytest.raises(InferenceServerException, match="unknown model: 'no_such_model'"):
        client.get_trace_settings(model_name="no_such_model")


def test_they_are_advertised(client):
    metadata = client.get_server_metadata()
    extensions = metadata["extensions"] if isinstance(metadata, dict) else list(metadata.extensions)
    assert {"trace", "logging"} <= set(extensions)


def test_unknown_settings_and_methods(server):
    reply = server.post_json("/v2/logging", {"log_everything": True})
    assert reply.status == 400 and "log_everything" in reply.json()["error"]
    reply = server.call("PUT", "/v2/logging", b"{}")
    assert reply.status == 405 and reply.headers["allow"] == "GET, HEAD, POST"
