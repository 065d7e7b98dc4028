"""The program of docs/serving.md that runs in a browser."""

import served_models
from documentation import SERVING, blocks

from rnnrs.serve import create_app


def test_a_program_gets_suggestions_by_websocket(tab, serving):
    ((_, code),) = blocks(SERVING, "js")
    with serving(create_app({"shakespeare": served_models.MADE["letters"]()})) as address:
        tab.goto(address)
        with tab.expect_console_message(lambda message: message.type == "log") as logged:
            tab.evaluate(f"() => {{ {code.replace('127.0.0.1:8080', address.split('/')[2])} }}")
        words = logged.value.args[0].json_value()
        assert words and all(isinstance(word, str) for word in words)
