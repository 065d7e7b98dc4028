"""Models: layers and a loss put together, with forward and backward written out."""

from .base.recurrent_network import RecurrentNetwork
from .captions.augmentation import Augmentation, may_be_mirrored
from .captions.batches import CaptionBatch
from .captions.captioner import Captioner
from .captions.evaluation import CaptionEvaluation
from .chatbot.acts import Utterance
from .chatbot.chatbot import Chatbot
from .chatbot.replies import Conversation, Ranked, Reply
from .language.cache import ContinuousCache, NgramCache
from .language.continuation import Continuation
from .language.language_model import LanguageModel
from .networks.jordan_network import ExposureGap, JordanNetwork
from .networks.vector_to_sequence import VectorToSequence
from .sequences.classifier import Classification, SequenceClassifier
from .sequences.forecaster import Forecaster, ForecastEvaluation
from .sequences.tagger import SequenceTagger
from .text_to_text.network import EncoderDecoder
from .text_to_text.seq2seq import PairEvaluation, Seq2Seq
from .text_to_text.summarizer import Summarizer, SummaryEvaluation
from .text_to_text.text_to_text import TextToText
from .text_to_text.translator import TranslationEvaluation, Translator
from .writer.search import Search, Written

__all__ = [
    "Augmentation",
    "CaptionBatch",
    "CaptionEvaluation",
    "Captioner",
    "Chatbot",
    "Classification",
    "Continuation",
    "ContinuousCache",
    "Conversation",
    "EncoderDecoder",
    "ExposureGap",
    "ForecastEvaluation",
    "Forecaster",
    "JordanNetwork",
    "LanguageModel",
    "NgramCache",
    "PairEvaluation",
    "Ranked",
    "RecurrentNetwork",
    "Reply",
    "Search",
    "Seq2Seq",
    "SequenceClassifier",
    "SequenceTagger",
    "Summarizer",
    "SummaryEvaluation",
    "TextToText",
    "TranslationEvaluation",
    "Translator",
    "Utterance",
    "VectorToSequence",
    "Written",
    "may_be_mirrored",
]
