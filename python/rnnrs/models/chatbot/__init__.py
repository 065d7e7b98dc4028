"""The chatbot: reads the last turns of a conversation, and writes or ranks answers."""
