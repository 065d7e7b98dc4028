// A conversation: each answer with the bot's confidence, or the row of the table that it is about.

import { ask } from "./api.js";
import { action, el, labeled, share } from "./dom.js";

export function view(model) {
	let messages = [];
	const empty = el("p.note", { t: "chatHint" });
	const log = el("div.log", { role: "log", tabindex: 0, "t-label": "conversation" }, empty);
	const text = el("textarea", { rows: 1, enterkeyhint: "send", "t-hint": "messageHint" });

	const sending = action("send", async (signal) => {
		const content = text.value.trim();
		if (!content) return;
		const bubble = say("user", content);
		text.value = "";
		try {
			const asked = [...messages, { role: "user", content }];
			const { choices } = await ask("v1/chat/completions", { model: model.id, messages: asked }, signal);
			messages = [...asked, choices[0].message];
			answer(choices[0]);
		} catch (error) {
			// A message without an answer goes back to where it can be sent again.
			bubble.remove();
			text.value ||= content;
			throw error;
		}
	});
	text.addEventListener("keydown", (event) => {
		if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
		event.preventDefault();
		sending.run();
	});

	function say(role, content, more) {
		empty.remove();
		const bubble = el(`div.bubble.${role}`, el("span.hidden", { t: role }), el("p", content), more);
		log.append(bubble);
		log.scrollTop = log.scrollHeight;
		return bubble;
	}

	function answer({ message, confidence, unknown, row }) {
		const cells = Object.entries(row ?? {}).flatMap(([name, cell]) => [el("dt", name), el("dd", cell)]);
		const more = cells.length ? [el("dl", cells)] : [];
		if (unknown) more.push(el("p.small", el("strong", { t: "unknown" })));
		if (confidence != null) more.push(el("p.small", el("span", { t: "confidence" }), " ", share(confidence)));
		say("bot", message.content, more).classList.toggle("doubtful", unknown === true);
	}

	function restart() {
		sending.abort();
		messages = [];
		log.replaceChildren(empty);
		text.focus();
	}

	const again = el("button", { t: "newConversation", onclick: restart });
	const actions = el("div.actions", sending.button, sending.stop, again);
	return el("div.card.chat", log, sending.problem, labeled("message", text), actions);
}
