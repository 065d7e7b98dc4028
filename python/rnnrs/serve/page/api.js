// Requests to the server. All addresses are relative to the page, which may be below a path of a proxy.

import { t } from "./strings.js";

let token = sessionStorage.getItem("rnnrs-token");

const address = (path) => new URL(path, document.baseURI);

/** Opens a WebSocket. A browser cannot send it a header, so a subprotocol brings the token. */
export function socketTo(path, model) {
	const url = address(path);
	url.protocol = url.protocol.replace("http", "ws");
	url.searchParams.set("model", model);
	return new WebSocket(url, token ? [`bearer.${token}`] : []);
}

/** Returns the answer as an object; errors are for the reader. */
export const ask = async (path, body, signal) => (await request(path, body, signal)).json();

/** Yields the objects of a stream of server-sent events. */
export async function* stream(path, body, signal) {
	const response = await request(path, { ...body, stream: true }, signal);
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let held = "";
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return;
		const lines = (held + value).split(/\r?\n/);
		held = lines.pop();
		for (const line of lines) {
			const data = line.replace(/^data: ?/, "");
			if (data === line) continue;
			if (data === "[DONE]") return;
			const piece = JSON.parse(data);
			if (piece.error) throw new Error(piece.error.message);
			yield piece;
		}
	}
}

async function request(path, body, signal) {
	const options = { signal, headers: token ? { Authorization: `Bearer ${token}` } : {} };
	if (body) {
		options.method = "POST";
		options.body = body instanceof FormData ? body : new Blob([JSON.stringify(body)], { type: "application/json" });
	}
	const response = await fetch(address(path), options).catch((error) => {
		throw signal?.aborted ? error : new Error(t("unreachable"));
	});
	if (response.ok) return response;
	if (response.status !== 401) {
		const { detail } = await response.json().catch(() => ({})); // a proxy may answer by a page
		throw new Error(detail ?? `${response.status} ${response.statusText}`);
	}
	const given = prompt(t(token ? "tokenRefused" : "tokenNeeded"));
	if (!given) throw new Error(t("tokenNeeded"));
	sessionStorage.setItem("rnnrs-token", (token = given.trim()));
	return request(path, body, signal);
}
