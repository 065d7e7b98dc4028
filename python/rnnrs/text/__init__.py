"""Text input: reading files, the bundled texts, and vocabularies that convert between text and token ids."""

from .build import VOCABULARIES, build_vocabulary, vocabulary_from_config
from .corpus import (
    chatterbot_dialogues,
    debian_synopses,
    read_text,
    split,
    tatoeba_pairs,
    text_parts,
    tiny_shakespeare,
)
from .lexicon import Lexicon, TokenVocabulary
from .rules import join_words
from .sentences import find_sentences
from .subword import SubwordVocabulary
from .vocabulary import CharVocabulary, Vocabulary
from .words import WordVocabulary, capitalize, find_words

__all__ = [
    "VOCABULARIES",
    "CharVocabulary",
    "Lexicon",
    "SubwordVocabulary",
    "TokenVocabulary",
    "Vocabulary",
    "WordVocabulary",
    "build_vocabulary",
    "capitalize",
    "chatterbot_dialogues",
    "debian_synopses",
    "find_sentences",
    "find_words",
    "join_words",
    "read_text",
    "split",
    "tatoeba_pairs",
    "text_parts",
    "tiny_shakespeare",
    "vocabulary_from_config",
]
