// A text that the server follows edit by edit, over a WebSocket; without one, requests carry the text.

import { ask, socketTo } from "./api.js";
import { difference, points } from "./text.js";

/** `found` gets suggestions, with the text and cursor that they are for; `failed` a message. */
export function session(model, found, failed) {
	let wanted; // the newest {text, cursor, k, words}, in UTF-16 units
	let asked; // the one whose answer is awaited, or came last
	let sent; // the one that the server knows
	let busy = false;
	let socket = null;
	let posting = false; // no WebSocket can be opened

	function next() {
		[asked, busy] = [wanted, true];
		if (posting) post(asked);
		else if (socket?.readyState === WebSocket.OPEN) write(asked);
		else connect();
	}

	function connect() {
		const own = (socket = socketTo("suggest", model.id));
		let answered = false;
		sent = { text: "" };
		own.onopen = () => write(asked);
		own.onmessage = ({ data }) => {
			answered = true;
			read(JSON.parse(data));
		};
		own.onclose = () => {
			posting ||= !answered;
			if (busy && own === socket) next();
		};
	}

	/** Sends the edit that leads from the server's text to this one. */
	function write({ text, cursor, ...settings }) {
		const [begin, end, added] = difference(sent.text, text);
		const edit = [points(sent.text, begin), points(sent.text, end), added.toWellFormed()];
		const replace = text === sent.text ? undefined : edit;
		socket.send(JSON.stringify({ replace, cursor: points(text, cursor), ...settings }));
		sent = asked;
	}

	function read({ suggestions, problem }) {
		if (problem) socket.close(); // the next one begins anew
		done(problem ? () => failed(problem.detail) : () => found(suggestions, asked));
	}

	async function post({ text, cursor, ...settings }) {
		try {
			const before = text.slice(0, cursor).toWellFormed();
			const { suggestions } = await ask("suggest", { model: model.id, text: before, ...settings });
			done(() => found(suggestions, asked));
		} catch (error) {
			posting = false;
			done(() => failed(error.message));
		}
	}

	function done(report) {
		busy = false;
		report();
		if (!busy && wanted !== asked) next();
	}

	return {
		busy: () => busy,
		/** Asks for suggestions at a place of a text. While an answer is awaited, only the newest wish waits. */
		update(text, cursor, k, words) {
			wanted = { text, cursor, k, words };
			if (!busy) next();
		},
	};
}
