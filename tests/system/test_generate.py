"""generate and generate_stream on a model with one text input."""

import json

import pytest
from bascule import DATA, Server

SPAM = "WINNER!! You have been selected to receive a £900 prize reward! Call 09061701461 to claim."


@pytest.fixture(scope="module")
def server():
    with Server(DATA / "general") as running:
        yield running


@pytest.mark.parametrize("route", ["sms_spam", "sms_spam/versions/1"])
def test_text_in_text_out(server, route):
    reply = server.post_json(f"/v2/models/{route}/generate", {"id": "a1", "text_input": SPAM, "parameters": {"n": 1}})
    assert reply.status == 200, reply
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == {"id": "a1", "model_name": "sms_spam", "model_version": "1", "text_output": "spam"}


def test_a_stream_is_one_event(server):
    reply = server.post_json("/v2/models/sms_spam/generate_stream", {"text_input": SPAM})
    assert reply.status == 200, reply
    assert reply.headers["content-type"] == "text/event-stream"
    event, end = reply.body.decode().split("\n\n")
    assert end == "" and event.startswith("data: ")
    assert json.loads(event[6:]) == {"model_name": "sms_spam", "model_version": "1", "text_output": "spam"}


def test_inputs_by_their_names(server):
    metadata = server.get("/v2/models/sms_spam").json()
    values = {metadata["inputs"][0]["name"]: [SPAM, "see you at eight"]}
    reply = server.post_json("/v2/models/sms_spam/generate", values)
    assert reply.status == 200, reply
    answer = reply.json()
    assert set(answer) == {"model_name", "model_version", *(o["name"] for o in metadata["outputs"])}
    assert answer["label"] == ["spam", "ham"]
    reply = server.post_json("/v2/models/add_one/generate", {"x": [1.0] * 16})
    assert reply.json()["y"] == [2.0] * 16


def test_a_model_that_does_not_fit(server):
    for action in ("generate", "generate_stream"):
        reply = server.post_json(f"/v2/models/add_one/{action}", {"text_input": "a"})
        assert reply.status == 400, reply
        assert reply.headers["content-type"] == "application/json"
        assert "x FP32 [-1,16]" in reply.json()["error"]
    assert server.post_json("/v2/models/no_such_model/generate", {"text_input": "a"}).status == 404
