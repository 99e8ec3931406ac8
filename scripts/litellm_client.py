"""What scripts/litellm-client.sh checks: LiteLLM's own client, or where PROXY_BASE is set, its proxy."""

import os

import litellm
from openai import OpenAI

BASE = os.environ["CALM_BASE"]
MODEL = os.environ["CALM_MODEL"]
PROXY = os.environ.get("PROXY_BASE")
PROMPT = "The Red Kite"
MESSAGES = [{"role": "user", "content": PROMPT}]
SETTINGS = {"max_tokens": 40, "temperature": 0.5, "seed": 1}

server = OpenAI(base_url=BASE, api_key="none", max_retries=0)


def check(name, answer, stream, expected, read_delta):
    """`answer` and the pieces of `stream` must be `expected`, with more than one piece."""
    text, usage = answer
    pieces = [piece for event in stream if event.choices and (piece := read_delta(event.choices[0]))]
    assert text == expected, (name, text, expected)
    assert "".join(pieces) == expected, (name, pieces, expected)
    assert len(pieces) > 1, (name, "the stream came in one piece")
    assert usage.completion_tokens > 0, (name, usage)
    print(f"{name}: {len(pieces)} pieces, {usage.completion_tokens} tokens: {text[:50]!r}")


def chat_text(answer):
    return answer.choices[0].message.content, answer.usage


def completion_text(answer):
    return answer.choices[0].text, answer.usage


def delta_of_chat(choice):
    return choice.delta.content


def delta_of_completion(choice):
    return choice.text


chat = server.chat.completions.create(model=MODEL, messages=MESSAGES, **SETTINGS)
completion = server.completions.create(model=MODEL, prompt=PROMPT, **SETTINGS)
expected_chat = chat.choices[0].message.content
expected_completion = completion.choices[0].text
assert expected_chat and expected_completion

if PROXY:
    proxy = OpenAI(base_url=PROXY, api_key=os.environ["LITELLM_MASTER_KEY"], max_retries=0)
    assert {"stories", "stories-completion"} <= {model.id for model in proxy.models.list()}
    ask = {"model": "stories", "messages": MESSAGES, **SETTINGS}
    check(
        "proxy, chat",
        chat_text(proxy.chat.completions.create(**ask)),
        proxy.chat.completions.create(**ask, stream=True),
        expected_chat,
        delta_of_chat,
    )
    ask = {"model": "stories-completion", "prompt": PROMPT, **SETTINGS}
    check(
        "proxy, completion",
        completion_text(proxy.completions.create(**ask)),
        proxy.completions.create(**ask, stream=True),
        expected_completion,
        delta_of_completion,
    )
else:
    for provider in ("openai", "hosted_vllm"):
        ask = {"model": f"{provider}/{MODEL}", "messages": MESSAGES, **SETTINGS}
        ask |= {"api_base": BASE, "api_key": "none", "num_retries": 0}
        check(
            f"{provider}, chat",
            chat_text(litellm.completion(**ask)),
            litellm.completion(**ask, stream=True),
            expected_chat,
            delta_of_chat,
        )
    ask = {"model": f"text-completion-openai/{MODEL}", "prompt": PROMPT, **SETTINGS}
    ask |= {"api_base": BASE, "api_key": "none", "num_retries": 0}
    check(
        "text-completion-openai, completion",
        completion_text(litellm.text_completion(**ask)),
        litellm.text_completion(**ask, stream=True),
        expected_completion,
        delta_of_completion,
    )
    try:
        litellm.completion(
            model=f"openai/{MODEL}-none", messages=MESSAGES, api_base=BASE, api_key="none", num_retries=0
        )
    except litellm.NotFoundError as error:
        assert MODEL in str(error), error
        print("openai, unknown model: NotFoundError that names what is served")
    else:
        raise AssertionError("an unknown model was answered")
