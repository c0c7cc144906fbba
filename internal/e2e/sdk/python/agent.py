"""Runs one of the Python SDKs against a running spanlake. Not part of the pipeline, whose machines have no Python packages.

    pip install -r requirements.txt
    export SPANLAKE_URL=http://127.0.0.1:4318 SPANLAKE_PUBLIC=pk-sl-… SPANLAKE_SECRET=sk-sl-…
    export OPENAI_BASE_URL=… OPENAI_API_KEY=…          # any server that speaks OpenAI's API
    python agent.py langfuse | langsmith | phoenix | traceloop | litellm

Then { span.session.id = "sess-42" } finds a trace of the SDK's, and the usage that counts is what the model has charged.
"""

import os
import sys

URL = os.environ["SPANLAKE_URL"]
PUBLIC = os.environ.get("SPANLAKE_PUBLIC", "none")
SECRET = os.environ.get("SPANLAKE_SECRET", "none")
MODEL = os.environ.get("MODEL", "gpt-4o-mini")
QUESTION = [{"role": "user", "content": "How is the weather in Oslo?"}]


def langfuse():
    os.environ.update(LANGFUSE_HOST=URL, LANGFUSE_BASE_URL=URL, LANGFUSE_PUBLIC_KEY=PUBLIC, LANGFUSE_SECRET_KEY=SECRET)
    from langfuse import get_client, propagate_attributes
    from langfuse.openai import openai

    client = get_client()
    assert client.auth_check()
    with client.start_as_current_observation(name="agent", as_type="agent") as span:
        with propagate_attributes(user_id="user-7", session_id="sess-42", tags=["demo"]):
            openai.OpenAI().chat.completions.create(model=MODEL, messages=QUESTION)
            span.score_trace(name="helpful", value=1, data_type="BOOLEAN")
    client.flush()


def langsmith():
    os.environ.update(LANGSMITH_ENDPOINT=URL, LANGSMITH_API_KEY=SECRET, LANGSMITH_TRACING="true", LANGSMITH_PROJECT="demo-agent")
    from langsmith import Client, get_current_run_tree, traceable
    from langsmith.wrappers import wrap_openai
    from openai import OpenAI

    client, runs = Client(), []

    @traceable(name="agent", metadata={"session_id": "sess-42", "user_id": "user-7"}, client=client)
    def agent():
        runs.append(get_current_run_tree())
        return wrap_openai(OpenAI()).chat.completions.create(model=MODEL, messages=QUESTION)

    agent()
    client.flush()
    client.create_feedback(run_id=runs[0].id, trace_id=runs[0].trace_id, key="helpful", score=1)
    client.flush()


def phoenix():
    from openai import OpenAI
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.openai import OpenAIInstrumentor
    from phoenix.otel import register

    provider = register(endpoint=URL + "/v1/traces", project_name="demo-agent", headers={"authorization": "Bearer " + SECRET})
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    with using_attributes(session_id="sess-42", user_id="user-7"):
        OpenAI().chat.completions.create(model=MODEL, messages=QUESTION)
    provider.force_flush()


def traceloop():
    from openai import OpenAI
    from traceloop.sdk import Traceloop
    from traceloop.sdk.decorators import workflow

    Traceloop.init(app_name="demo-agent", api_endpoint=URL, api_key=SECRET, disable_batch=True)
    Traceloop.set_association_properties({"session_id": "sess-42", "user_id": "user-7"})

    @workflow(name="agent")
    def agent():
        return OpenAI().chat.completions.create(model=MODEL, messages=QUESTION)

    agent()


def litellm():
    os.environ.update(
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", OTEL_EXPORTER="otlp_http", OTEL_ENDPOINT=URL + "/v1/traces", OTEL_HEADERS="authorization=Bearer " + SECRET
    )
    import litellm as library

    library.callbacks = ["otel"]
    library.completion(model="openai/" + MODEL, messages=QUESTION, metadata={"session_id": "sess-42", "trace_user_id": "user-7"})


if __name__ == "__main__":
    programs = {f.__name__: f for f in (langfuse, langsmith, phoenix, traceloop, litellm)}
    if len(sys.argv) != 2 or sys.argv[1] not in programs:
        sys.exit(__doc__)
    programs[sys.argv[1]]()
