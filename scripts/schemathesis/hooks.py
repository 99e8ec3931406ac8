"""What scripts/schemathesis.sh adds to Schemathesis: affordable bodies, and checks of what a schema cannot say.

The server runs with a short context, so that `max_tokens` need not be touched; but 128 choices with 4096 candidates
in every step would take minutes, whatever the context.
"""

import json
import os
from typing import Any

import jsonschema_rs
import schemathesis

MOST_CHOICES = 3
MOST_CANDIDATES = 8
MOST_PROMPTS = 4
MODELS = os.environ["CALM_SERVED_MODELS"].split(",")

#: Codes with which a body is refused that holds to the schema: what is asked for is not what the model can do.
REFUSALS = {"context_length_exceeded", "unsupported_parameter", "model_not_found", "sampler_limit"}
#: Sentences of `invalid_value` for what no schema says: they depend on the model, on two fields together, or on a
#: limit that doubles cannot express.
MODEL_DEPENDENT = (
    "must be a token id of",
    "must be token ids of",
    "must be given",
    "must not exceed `max_tokens`",
    "`best_of` must",
    "must be a whole number of at most 64 bits",
)


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Caps what a request costs, and names a served model in most bodies: else nearly all would end in a 404."""
    if not isinstance(body, dict):
        return body
    cap(body, "n", MOST_CHOICES)
    cap(body, "best_of", MOST_CHOICES)
    cap(body, "num_candidates", MOST_CANDIDATES)
    if body.get("num_candidates") is None and len(body) % 8 != 7:
        # The model's own default is dear, and the same in every body.
        body["num_candidates"] = MOST_CANDIDATES
    if isinstance(body.get("prompt"), list):
        body["prompt"] = body["prompt"][:MOST_PROMPTS]
    model = body.get("model")
    if isinstance(model, str) and len(model) % 4 != 3:
        body["model"] = MODELS[len(model) % len(MODELS)]
    return body


def cap(body: dict[str, Any], field: str, most: int) -> None:
    """Leaves what is not a number in range alone: it is there to be refused."""
    value = body.get(field)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and most < value <= 4096:
        body[field] = most


@schemathesis.check
def refused_for_a_reason(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """A body that holds to the schema is answered, or refused for a reason that no schema can tell."""
    if response.status_code != 400 or case.meta is None:
        return
    if case.meta.generation.mode != schemathesis.GenerationMode.POSITIVE:
        return
    error = response.json()["error"]
    if error["code"] in REFUSALS or any(words in error["message"] for words in MODEL_DEPENDENT):
        return
    raise AssertionError(f"The schema allows this body, and the server does not: {error['message']}")


@schemathesis.check
def stream_is_whole(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """A stream is lines of data in the documented form, and ends with [DONE] or with one error."""
    media_type = (response.headers.get("content-type") or [""])[0]
    if not media_type.startswith("text/event-stream"):
        return
    frames = response.content.decode().split("\n\n")
    assert frames.pop() == "", "The stream ends inside an event."
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames), "An odd frame."
    last = frames.pop().removeprefix("data: ")
    if last != "[DONE]":
        assert "error" in json.loads(last), "The stream ends without [DONE] and without an error."
    event = event_validator(case)
    for frame in frames:
        event.validate(json.loads(frame.removeprefix("data: ")))


def event_validator(case: schemathesis.Case) -> jsonschema_rs.Validator:
    """The validator of the operation's events."""
    schemas = case.operation.schema.raw_schema["components"]["schemas"]
    name = "ChatCompletionEvent" if "chat" in case.operation.path else "CompletionEvent"
    return jsonschema_rs.validator_for({**schemas[name], "components": {"schemas": schemas}})
