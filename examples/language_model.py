"""A small language model in a dozen lines: training, evaluation, suggestions, text generation."""

from rnnrs.models import LanguageModel
from rnnrs.text import split, tiny_shakespeare

text, held_out, _ = split(tiny_shakespeare()[:300_000])

model = LanguageModel.from_text(text, level="word", hidden_size=128, embedding_size=64)
model.fit(text, epochs=2, batch_size=32, steps=20, progress=False)

print(f"perplexity on held-out text: {model.perplexity(held_out):.0f} of {len(model.vocabulary)} words")

score = model.score("I will go to the king.")
for token, log_prob in zip(score.tokens, score.log_probs, strict=True):
    print(f"  {token!r:10} {log_prob:7.2f}")

print("after 'I will':", [s.word for s in model.suggest("I will ", k=5)])
print("completing 'I will g':", [s.word for s in model.suggest("I will g", k=3)])
print(model.generate("My lord,", length=30, temperature=0.8, seed=1))
