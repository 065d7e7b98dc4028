"""The OpenAPI document: valid, complete, and in line with what is served."""

import openapi_spec_validator
import pytest
import served_models
from starlette.routing import Route

from rnnrs.serve.app import ENDPOINTS, create_app


@pytest.fixture(scope="module")
def served():
    app = create_app(served_models.models("letters", "extractive", "texts"))
    with served_models.TestClient(app, base_url="http://localhost") as client:
        yield app, client.get("/openapi.json").json()


def test_the_document_is_valid(served):
    openapi_spec_validator.validate(served[1])


def test_every_route_is_described_and_nothing_else(served):
    app, found = served
    described = {
        (path, method.upper()) for path, operations in found["paths"].items() for method in operations
    }
    routes = {
        (route.path, method)
        for route in app.routes
        if isinstance(route, Route) and route.path != "/" and not route.path.startswith("/page/")
        for method in route.methods - {"HEAD"}
    }
    assert described == routes
    names = [operation["operationId"] for path in found["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names) >= len(ENDPOINTS)


def test_the_field_model_names_the_models_that_fit(served):
    paths = served[1]["paths"]
    body = lambda path: paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]  # noqa: E731
    assert body("/score")["properties"]["model"]["anyOf"][0] == {"enum": ["letters"]}
    assert "sentences" in body("/summarize")["properties"]  # only the form of a model that is served
    assert body("/classify")["required"] == ["text"]
    assert {"enum": ["letters", "extractive", "texts"]} in [
        one["schema"] for one in paths["/v1/models/{name}"]["get"]["parameters"]
    ]
    assert len(body("/tag")["anyOf"]) == 2  # no model: both forms


def test_files_come_as_forms_too(served):
    content = served[1]["paths"]["/describe"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    assert content["multipart/form-data"]["schema"]["properties"]["picture"]["format"] == "binary"


def test_a_proxys_path_is_the_server():
    app = create_app(served_models.models("texts"))
    with served_models.TestClient(app, base_url="http://localhost", root_path="/below") as client:
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/below"}]
    app.state.host.close()
