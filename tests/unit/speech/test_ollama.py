"""The real Ollama client against a server that speaks its API, in good and in bad weather."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from support.ollama_server import Cut, Failed, OllamaServer, Thought

from voip_engine.speech.base import Message, ModelMissing, SpeechError
from voip_engine.speech.ollama import OllamaModel
from voip_engine.speech_settings import AgentSettings

SECRET = "my card number is 4711"
MESSAGES = (Message("system", "Be brief."), Message("user", SECRET))


@pytest.fixture
async def server():
    async with OllamaServer() as server:
        yield server


@pytest.fixture
async def connect():
    """Makes models that are closed at the end."""
    models = []

    def make(server, **settings):
        models.append(OllamaModel(AgentSettings(host=server.url, **settings)))
        return models[-1]

    yield make
    for model in models:
        await model.close()


async def said(model, name=OllamaServer.model):
    return "".join([piece async for piece in model.reply(MESSAGES, model=name)])


async def test_a_reply_comes_in_pieces_while_the_model_is_still_writing(server, connect):
    more = asyncio.Event()

    async def reply(messages):
        yield "Good "
        await more.wait()
        yield "morning."

    server.reply = reply
    async with aclosing(connect(server).reply(MESSAGES, model=server.model)) as pieces:
        assert await anext(pieces) == "Good "
        more.set()
        assert await anext(pieces) == "morning."
        assert await anext(pieces, None) is None
    chat = await server.chat()
    assert chat.messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": SECRET}]
    await chat.finished.wait()


@pytest.mark.parametrize(("setting", "sent"), [("30m", "30m"), ("-1", -1), ("45", 45), ("-1m", "-1m")])
async def test_the_model_is_loaded_beforehand_and_kept(server, connect, setting, sent):
    model = connect(server, keep_alive=setting)
    await model.prepare(server.model)
    assert server.loaded == {server.model: sent}
    assert await said(model) == "Yes, of course."
    assert (await server.chat()).keep_alive == sent
    assert len(server.loads) == 1


async def test_a_model_that_is_not_kept_is_not_unloaded_by_loading_it(server, connect):
    await connect(server, keep_alive="0s").prepare(server.model)
    assert server.loads == []


async def test_closing_the_iterator_stops_the_model(server, connect):
    async def endless(messages):
        yield "Well, "
        await asyncio.Event().wait()

    server.reply = endless
    async with aclosing(connect(server).reply(MESSAGES, model=server.model)) as pieces:
        assert await anext(pieces) == "Well, "
    chat = await server.chat()
    await chat.stopped.wait()
    assert not chat.finished.is_set()


async def test_cancelling_whoever_waits_for_a_token_stops_the_model(server, connect):
    async def thinks_long(messages):
        await asyncio.Event().wait()
        yield "never"

    server.reply = thinks_long
    waiting = asyncio.create_task(said(connect(server)))
    chat = await server.chat()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await chat.stopped.wait()


async def test_many_calls_are_answered_at_once(server, connect):
    everyone = asyncio.Event()

    async def reply(messages):
        if len(server.chats) == 120:
            everyone.set()
        await everyone.wait()
        yield "Hello."

    server.reply = reply
    model = connect(server)
    await model.prepare(server.model)
    assert await asyncio.gather(*(said(model) for _ in range(120))) == ["Hello."] * 120


@pytest.mark.parametrize("capabilities", [("completion", "thinking"), ("completion",), None])
async def test_only_models_that_can_think_are_told_not_to(connect, capabilities):
    async with OllamaServer(models={"qwen3:8b": capabilities}) as server:
        model = connect(server)
        await model.prepare("qwen3:8b")
        assert await said(model, "qwen3:8b") == await said(model, "qwen3:8b") == "Yes, of course."
        think = False if capabilities and "thinking" in capabilities else None
        assert [chat.think for chat in server.chats] == [think, think]
        assert [path for path, _ in server.requests].count("/api/show") == 1


async def test_thoughts_are_not_spoken(server, connect):
    server.reply = lambda messages: [
        Thought("The caller asks"),
        Thought(" a lot."),
        "<th",
        "ink>Hm.</thi",
        "nk>\n\n",
        "Yes.",
    ]
    assert await said(connect(server)) == "Yes."


async def test_an_empty_reply_is_no_error(server, connect):
    server.reply = lambda messages: ""
    assert await said(connect(server)) == ""


async def test_without_a_server_the_error_says_where_and_how_to_start_one(server, connect):
    model = connect(server)
    await server.close()
    for attempt in (model.prepare(server.model), said(model)):
        with pytest.raises(ModelMissing) as caught:
            await attempt
        assert server.url in str(caught.value)
        assert (caught.value.what, caught.value.model) == ("Ollama server", None)
        assert "ollama" in caught.value.mend  # what installs it, where it isn't
    await server.start(int(server.url.rpartition(":")[2]))
    assert await said(model) == "Yes, of course."


async def test_a_missing_model_can_be_pulled_and_then_answers(server, connect):
    model = connect(server)
    for attempt in (model.prepare("mistral:7b"), said(model, "mistral:7b")):
        with pytest.raises(ModelMissing) as caught:
            await attempt
        assert caught.value.what == "Ollama model mistral:7b"
        assert caught.value.mend == "voip-tui models pull ollama:mistral:7b"
        assert caught.value.model == "ollama:mistral:7b"
    server.models["mistral:7b"] = ("completion",)
    assert await said(model, "mistral:7b") == "Yes, of course."


async def test_a_model_removed_in_mid_call_is_missing(server, connect):
    model = connect(server)
    await model.prepare(server.model)
    del server.models[server.model]
    with pytest.raises(ModelMissing, match="no model"):
        await said(model)


async def test_why_a_model_cannot_be_loaded_is_said_in_the_servers_words(server, connect):
    async def too_big(model):
        raise Failed("model requires more system memory (5.6 GiB) than is available (3.0 GiB)")

    server.before_load = too_big
    with pytest.raises(SpeechError, match=r"5\.6 GiB"):
        await connect(server).prepare(server.model)


async def test_a_model_for_embeddings_is_refused(connect):
    async with OllamaServer(models={"nomic:1": ("embedding",)}) as server:
        with pytest.raises(SpeechError, match="does not support chat"):
            await connect(server).prepare("nomic:1")


async def test_a_model_that_never_loads(server, connect):
    async def never(model):
        await asyncio.Event().wait()

    server.before_load = never
    model = connect(server, load_timeout_s=0.05)
    with pytest.raises(SpeechError, match=r"did not load .* within 0\.05 s"):
        await model.prepare(server.model)
    with pytest.raises(SpeechError, match="did not begin"):
        await said(model)


async def test_the_first_token_of_an_unprepared_model_may_take_as_long_as_loading(server, connect):
    may_load = asyncio.Event()

    async def load(model):
        await may_load.wait()

    server.before_load = load
    model = connect(server, token_timeout_s=0.5)
    waiting = asyncio.create_task(said(model))
    await server.chat()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await asyncio.shield(waiting)
    may_load.set()
    assert await waiting == "Yes, of course."


async def test_a_model_that_thinks_without_end_is_left(server, connect):
    async def broods(messages):
        while True:
            yield Thought("but then again")
            await asyncio.sleep(0)

    server.reply = broods
    with pytest.raises(SpeechError, match="did not begin"):
        await said(connect(server, load_timeout_s=0.1))
    await (await server.chat()).stopped.wait()


async def collect(model, into):
    async for piece in model.reply(MESSAGES, model=OllamaServer.model):
        into.append(piece)


@pytest.mark.parametrize("disaster", [Failed(SECRET), Cut()])
async def test_what_breaks_in_mid_stream_is_said_without_what_was_said(server, connect, disaster):
    async def reply(messages):
        yield "Let me "
        raise disaster

    server.reply = reply
    heard = []
    with pytest.raises(SpeechError) as caught:
        await collect(connect(server), heard)
    assert heard == ["Let me "]
    assert not isinstance(caught.value, ModelMissing)
    assert server.url in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "Let me" not in str(caught.value)


async def test_a_failure_before_the_first_token_repeats_nothing(server, connect):
    async def reply(messages):
        raise Failed(SECRET)
        yield ""

    server.reply = reply
    with pytest.raises(SpeechError, match="HTTP 500") as caught:
        await said(connect(server))
    assert SECRET not in str(caught.value)


async def test_a_stall_in_mid_stream(server, connect):
    async def reply(messages):
        yield "Let me "
        await asyncio.Event().wait()

    server.reply = reply
    heard = []
    with pytest.raises(SpeechError, match=r"fell silent .* 0\.5 s"):
        await collect(connect(server, token_timeout_s=0.5), heard)
    assert heard == ["Let me "]
    await (await server.chat()).stopped.wait()


@pytest.mark.parametrize("answer", [b"<html>Welcome</html>", b'{"done": "perhaps"}', b"[]"])
async def test_what_is_no_ollama_server(connect, answer):
    class Website(OllamaServer):
        async def _serve(self, reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))
            await writer.drain()
            return False

    async with Website() as server:
        model = connect(server)
        for attempt in (model.prepare("llama3.2:3b"), said(model)):
            with pytest.raises(SpeechError, match="does not speak"):
                await attempt


async def test_only_the_settings_say_where_the_server_is(server, connect, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    assert await said(connect(server)) == "Yes, of course."


async def test_a_closed_model_connects_again_when_asked(server, connect):
    model = connect(server)
    await said(model)
    await model.close()
    assert await said(model) == "Yes, of course."


async def test_a_pull_goes_on_where_it_was_cut():
    import ollama

    async def cut_half_way(completed):
        if completed >= 500:
            raise Cut

    async with OllamaServer(library={"mistral:7b": 1000}, before_pull=cut_half_way) as server:
        client = ollama.AsyncClient(server.url, trust_env=False)

        async def pull():
            async for progress in await client.pull("mistral", stream=True):
                seen.append((progress.status, progress.completed))

        seen = []
        server.library["mistral:latest"] = server.library.pop("mistral:7b")
        with pytest.raises(Exception, match="peer closed"):
            await pull()
        assert seen[0] == ("pulling manifest", None)
        assert seen[-1][1] == 375
        seen.clear()
        server.before_pull = lambda completed: asyncio.sleep(0)
        await pull()
        assert seen[1][1] == 500
        assert seen[-1] == ("success", None)
        assert "mistral:latest" in [entry.model for entry in (await client.list()).models]
        with pytest.raises(ollama.ResponseError, match="file does not exist"):
            async for _ in await client.pull("nonsense", stream=True):
                pass
        await client.close()
