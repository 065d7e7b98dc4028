"""Text in: reading files, the bundled texts, and vocabularies that turn text into token ids and back."""

from .corpus import chatterbot_dialogues, debian_synopses, read_text, split, tatoeba_pairs, tiny_shakespeare
from .subword import SubwordVocabulary
from .vocabulary import CharVocabulary, Vocabulary, WordVocabulary, vocabulary_from_config
from .words import capitalize, find_words, join_words

__all__ = [
    "CharVocabulary",
    "SubwordVocabulary",
    "Vocabulary",
    "WordVocabulary",
    "capitalize",
    "chatterbot_dialogues",
    "debian_synopses",
    "find_words",
    "join_words",
    "read_text",
    "split",
    "tatoeba_pairs",
    "tiny_shakespeare",
    "vocabulary_from_config",
]
