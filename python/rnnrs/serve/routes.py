"""The routes of verbs: from a request to a model's answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .endpoint import TEXT, Endpoint, Schema, object_of
from .fields import MODEL, values_of
from .hosting import Host
from .problems import problem_of
from .requests import disconnected, given_of, limits_of
from .responses import json_response
from .verbs import ALL, Verb
from .watch import note_model

#: The forms of each verb, by its name.
FORMS: dict[str, tuple[Verb, ...]] = {
    name: tuple(verb for verb in ALL if verb.name == name)
    for name in dict.fromkeys(verb.name for verb in ALL)
}


def _documented(name: str, forms: tuple[Verb, ...]) -> Endpoint:
    answers: list[Schema] = [object_of({"model": TEXT} | verb.answer, *verb.optional) for verb in forms]
    return Endpoint(
        f"/{name}",
        forms[0].methods,
        " Or: ".join(verb.summary for verb in forms),
        {"application/json": answers[0] if len(answers) == 1 else {"anyOf": answers}},
        tuple((MODEL, *verb.fields) for verb in forms),
        tuple(verb.fits for verb in forms),
        tags=("models",),
    )


ENDPOINTS = tuple(_documented(name, forms) for name, forms in FORMS.items())


def verb_routes(host: Host) -> list[Route]:
    """Returns a route for each verb."""
    return [
        Route(f"/{name}", _endpoint(host, name, forms), methods=list(forms[0].methods))
        for name, forms in FORMS.items()
    ]


def _endpoint(host: Host, name: str, forms: tuple[Verb, ...]) -> Callable[[Request], Awaitable[Response]]:
    fields = {field.name: field for verb in forms for field in (MODEL, *verb.fields)}
    known = tuple(fields.values())

    async def endpoint(request: Request) -> Response:
        return json_response(
            await answered(host, name, forms, await given_of(request, known, host.limits), request)
        )

    return endpoint


async def answered(
    host: Host, name: str, forms: tuple[Verb, ...], given: dict[str, Any], request: Request
) -> dict[str, Any]:
    """Returns a model's answer to the values of a request.

    Args:
        host: the models.
        name: the verb.
        forms: the forms of the verb, for different models.
        given: the values, as of JSON.
        request: the request; its client may leave.

    Raises:
        Problem: for an unknown model, a full queue, or when the time is over; for invalid values.
        ClientLeft: when the client leaves.
    """
    one = host.find(MODEL.checked(given.get("model"), host.limits), name)
    note_model(request.scope, one.name)
    loaded = one.loaded
    verb = next(form for form in forms if form.fits(loaded.model))
    values = values_of((MODEL, *verb.fields), given, limits_of(request, host.limits))
    del given  # lists of numbers are large
    if verb.check is not None:
        verb.check(loaded, values)
    try:
        answer = await one.worker.submit(
            verb.key(loaded, values),
            lambda some: verb.answer_all(loaded, some),
            values,
            size=verb.size(values),
            gone=lambda: disconnected(request.receive),
        )
    except Exception as error:
        problem = problem_of(error, [field.name for field in verb.fields])
        if problem is None or problem is error:
            raise
        raise problem from error
    return {"model": one.name, **answer}
