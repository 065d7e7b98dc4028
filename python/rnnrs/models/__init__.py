"""Models: layers and a loss put together, with forward and backward written out."""

from .augmentation import Augmentation, may_be_mirrored
from .cache import ContinuousCache, NgramCache
from .caption_batches import CaptionBatch
from .caption_evaluation import CaptionEvaluation
from .captioner import Captioner
from .chatbot import Chatbot
from .chatbot_acts import Utterance
from .chatbot_replies import Conversation, Ranked, Reply
from .continuation import Continuation
from .encoder_decoder import EncoderDecoder
from .forecaster import Forecaster, ForecastEvaluation
from .jordan_network import ExposureGap, JordanNetwork
from .language_model import LanguageModel
from .network import RecurrentNetwork
from .seq2seq import PairEvaluation, Seq2Seq
from .sequence_classifier import Classification, SequenceClassifier
from .sequence_tagger import SequenceTagger
from .summarizer import Summarizer, SummaryEvaluation
from .text_to_text import TextToText
from .translator import TranslationEvaluation, Translator
from .vector_to_sequence import VectorToSequence
from .writing import Search, Written

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
