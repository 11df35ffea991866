"""Under which class a model's weights were saved: what is measured is that network, with its head and no other."""

from __future__ import annotations

from typing import Any

from interlaw.plain import Json

# heads whose output is no single tensor, or whose inputs are no plain sequences: the network below them is taken
_SEVERAL_OUTPUTS = ("ForQuestionAnswering", "ForPreTraining", "ForMultipleChoice", "DoubleHeadsModel")


def classes_of(config: Any, *, trust_remote_code: bool) -> list[tuple[Any, str]]:
    """The classes to try, best first, each with a note about it; the first that gets all its weights is right.

    Args:
        config: The model's settings.
        trust_remote_code: Whether a class may come from the model's own code.

    Returns:
        Things with `from_pretrained`, and a note for people, empty where the class is the one that config.json names.
    """
    import transformers

    names = config.architectures if isinstance(config.architectures, list) else []
    named = next((name for name in names if isinstance(name, str)), "")
    if trust_remote_code and getattr(config, "auto_map", None):
        return [(_remote_kind(config.auto_map, named), "")]
    if named.endswith(_SEVERAL_OUTPUTS):
        left_out = f"the head of {named} is left out: it has several outputs; hidden states are measured"
        return [(transformers.AutoModel, left_out)]
    saved = getattr(transformers, named, None)
    if isinstance(saved, type) and issubclass(saved, transformers.PreTrainedModel):
        return [(saved, "")]
    reason = f"names {named}, which transformers does not have" if named else "names no class (architectures)"
    return [(kind, f"config.json {reason}; read as {what}") for kind, what in _guesses(config)]


def _remote_kind(auto_map: Json, named: str) -> Any:
    """The auto class behind which the model's own code has the class that was saved."""
    import transformers

    kinds = {key: str(place).rpartition(".")[2] for key, place in auto_map.items() if key.startswith("AutoModel")}
    same = [key for key, name in kinds.items() if name == named]
    fallback = "AutoModelForCausalLM" if "AutoModelForCausalLM" in kinds else "AutoModel"
    return getattr(transformers, same[0] if same else fallback)


def _guesses(config: Any) -> list[tuple[Any, str]]:
    """Without a usable name: a language model of the architecture if the file has one, else its hidden states."""
    import transformers
    from transformers.models.auto import modeling_auto as auto

    guesses = []
    masked = type(config) in auto.MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False)
    if masked:
        guesses.append((transformers.AutoModelForMaskedLM, "the scores of masked tokens"))
    elif type(config) in auto.MODEL_FOR_CAUSAL_LM_MAPPING and not getattr(config, "is_encoder_decoder", False):
        guesses.append((transformers.AutoModelForCausalLM, "a next-token predictor"))
    return [*guesses, (transformers.AutoModel, "whose hidden states are measured")]


def predicts_next(model: Any, config: Any) -> bool:
    """Whether a network gives next-token logits: what can generate, with or without a vision tower, does."""
    if getattr(config, "is_encoder_decoder", False):
        return False
    can = getattr(model, "can_generate", None)
    return bool(can is not None and can()) or type(model).__name__.endswith(("ForCausalLM", "LMHeadModel"))


def is_pair(model: Any, config: Any) -> bool:
    """Whether a network is a whole encoder-decoder whose decoder wants inputs of its own.

    A classifier on top of both halves feeds its decoder itself, and an encoder that was saved alone has none.
    """
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    halves = hasattr(model, "encoder") and hasattr(model, "decoder")  # the settings of a lone encoder deny its decoder
    if not getattr(config, "is_encoder_decoder", False) and not halves:
        return False
    return bool(model.can_generate()) or type(model) is MODEL_MAPPING.get(type(config), None)


def encoder_of(model: Any, config: Any) -> tuple[Any, str]:
    """The encoder of a pair, which reads tokens alone, and a note; any other network as it is.

    One that was saved alone comes without its wrapper, whose token table is not the module that runs.
    """
    if type(model).__name__.endswith("EncoderModel") and hasattr(model, "encoder"):
        return model.get_encoder(), ""
    if not is_pair(model, config):
        return model, ""
    note = f"the encoder of {type(model).__name__} is measured; its decoder needs inputs of its own"
    return model.get_encoder(), note
