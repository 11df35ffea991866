"""Next-token prediction as a document: the text that a recipe names, and what a trial keeps of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from interlaw.errors import InterlawError
from interlaw.shapes import Shape
from interlaw.tasks.corpus import EMBEDDED, open_corpus
from interlaw.tasks.spec import TaskPart, TaskPlan, TaskSpec, Units

if TYPE_CHECKING:
    from interlaw.tasks.text import TextTask

SHOWN = 12  # characters of a digest in a message: enough to tell two texts apart


class TextTaskSpec(TaskSpec):
    """Next-token prediction on a corpus.

    Attributes:
        corpus: "stdlib", an absolute path, or "datasets:NAME".
        tokenizer: "bytes", or a Hugging Face tokenizer's name or folder.
        text_column: Column of a dataset that holds the text.
        digest: Digest of the token files that the trial was planned on.
        context: Tokens a sequence.
    """

    kind: Literal["text"] = "text"
    corpus: str
    tokenizer: str = "bytes"
    text_column: str = "text"
    digest: str
    context: int = Field(ge=1)

    @property
    def units_per_sample(self) -> int:
        """Predicted tokens a sequence."""
        return self.context

    @property
    def units(self) -> Units:
        """Where tokens are bytes, so is the loss."""
        return Units(loss=f"nats per {'byte' if self.tokenizer == 'bytes' else 'token'}", data="tokens")

    def open(self, *, device: str = "cpu") -> TextTask:
        """The corpus as a task.

        Raises:
            InterlawError: When the corpus is no longer the one that the trial was planned on.
        """
        from interlaw.tasks.text import TextTask

        corpus = open_corpus(self.corpus, tokenizer=self.tokenizer, text_column=self.text_column)
        if corpus.digest != self.digest:
            raise InterlawError(
                f"expected corpus {self.corpus} with digest {self.digest[:SHOWN]}, found {corpus.digest[:SHOWN]}; "
                "restore the text, or plan the sweep again in another folder"
            )
        return TextTask(corpus, context=self.context, device=device)


class TextTaskPart(TaskPart):
    """The text.

    Attributes:
        corpus: "stdlib", a file or folder (relative to the recipe), or "datasets:NAME".
        tokenizer: "bytes", or a Hugging Face tokenizer's name or folder.
        text_column: Column of a dataset that holds the text.
    """

    decides: ClassVar[dict[str, str]] = {"vocab_size": "the tokenizer"}

    kind: Literal["text"] = "text"
    corpus: str = EMBEDDED
    tokenizer: str = "bytes"
    text_column: str = "text"

    def plan(self, *, folder: Path) -> TaskPlan:
        """Tokenizes the corpus, once; every shape must have a context that fits it."""
        source = self.corpus
        if source != EMBEDDED and not source.startswith("datasets:"):
            source = str((folder / source).resolve())
        corpus = open_corpus(source, tokenizer=self.tokenizer, text_column=self.text_column)

        def spec(shape: Shape) -> TextTaskSpec:
            context = shape.settings().get("context")
            if context is None:
                raise InterlawError(
                    f"expected a family with a context for a text task, found {shape.family!r}; "
                    "choose gpt, or another task"
                )
            corpus.require_context(context)
            return TextTaskSpec(
                corpus=corpus.source,
                tokenizer=corpus.tokenizer,
                text_column=self.text_column,
                digest=corpus.digest,
                context=context,
            )

        return TaskPlan(spec=spec, sizes={"vocab_size": corpus.vocab_size})
