"""Models: layers combined with a loss, with explicit forward and backward passes; and the applications."""

from .assistant.assistant import Assistant
from .assistant.evaluation import AssistantEvaluation
from .assistant.replies import AssistantReply, AssistantSession
from .base.recurrent_network import RecurrentNetwork
from .captions.augmentation import Augmentation, may_be_mirrored
from .captions.batches import CaptionBatch
from .captions.captioner import Captioner
from .captions.describing import RankedPicture
from .captions.evaluation import CaptionEvaluation
from .captions.regions.evaluation import RegionEvaluation
from .captions.regions.found import FoundRegion, RankedRegion
from .chatbot.acts import Utterance
from .chatbot.chatbot import Chatbot
from .chatbot.replies import Conversation, Ranked, Reply
from .chatbot.threshold import Threshold
from .extractive.evaluation import ExtractEvaluation, SentenceScores
from .extractive.extractive_summarizer import ExtractiveSummarizer
from .extractive.extracts import Extract, ScoredSentence
from .language.cache import ContinuousCache, NgramCache
from .language.continuation import Continuation
from .language.following import RankedText
from .language.generation import Generation
from .language.language_model import LanguageModel
from .language.pieces import Generated, GeneratedPiece, GeneratedToken
from .language.scoring import SentenceScore, TextEvaluation
from .language.suggestion import Suggestion
from .language.typing_session import TypingSession
from .networks.jordan_network import ExposureGap, JordanNetwork
from .networks.vector_to_sequence import VectorToSequence
from .sequences.classifier import SequenceClassifier
from .sequences.evaluation import ClassificationEvaluation
from .sequences.forecast_evaluation import ForecastEvaluation
from .sequences.forecaster import Forecaster
from .sequences.tagger import SequenceTagger
from .text_to_text.network import EncoderDecoder
from .text_to_text.seq2seq import Seq2Seq
from .text_to_text.summarizer import Summarizer, SummaryEvaluation
from .text_to_text.text_to_text import TextToText
from .text_to_text.translator import TranslationEvaluation, Translator
from .writer.evaluation import PairEvaluation
from .writer.search import Search, Written

__all__ = [
    "Assistant",
    "AssistantEvaluation",
    "AssistantReply",
    "AssistantSession",
    "Augmentation",
    "CaptionBatch",
    "CaptionEvaluation",
    "Captioner",
    "Chatbot",
    "ClassificationEvaluation",
    "Continuation",
    "ContinuousCache",
    "Conversation",
    "EncoderDecoder",
    "ExposureGap",
    "Extract",
    "ExtractEvaluation",
    "ExtractiveSummarizer",
    "ForecastEvaluation",
    "Forecaster",
    "FoundRegion",
    "Generated",
    "GeneratedPiece",
    "GeneratedToken",
    "Generation",
    "JordanNetwork",
    "LanguageModel",
    "NgramCache",
    "PairEvaluation",
    "Ranked",
    "RankedPicture",
    "RankedRegion",
    "RankedText",
    "RecurrentNetwork",
    "RegionEvaluation",
    "Reply",
    "ScoredSentence",
    "Search",
    "SentenceScore",
    "SentenceScores",
    "Seq2Seq",
    "SequenceClassifier",
    "SequenceTagger",
    "Suggestion",
    "Summarizer",
    "SummaryEvaluation",
    "TextEvaluation",
    "TextToText",
    "Threshold",
    "TranslationEvaluation",
    "Translator",
    "TypingSession",
    "Utterance",
    "VectorToSequence",
    "Written",
    "may_be_mirrored",
]
