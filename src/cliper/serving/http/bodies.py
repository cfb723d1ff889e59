"""What requests hold and answers are; OpenAPI is made of it."""

from typing import Annotated, Any, Literal
from unicodedata import normalize
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    TypeAdapter,
)

from cliper.serving.http.limits import (
    MAX_CANDIDATES,
    MAX_EVENTS,
    MAX_HISTORY,
    MAX_ID,
    MAX_ITEMS,
    MAX_NAME,
    MAX_TEXT,
    MAX_VALUES,
)

LARGEST = 1e300
Explain = bool | Literal["history"]


def plain(where: dict[str, Any]) -> dict[str, Any]:
    """A filter whose names are short and whose numbers are finite; the rest the library checks."""
    open_values: list[Any] = [where]
    while open_values:
        value = open_values.pop()
        if isinstance(value, dict):
            if any(len(name) > MAX_NAME for name in value):
                raise ValueError(f"a name of more than {MAX_NAME} characters")
            open_values.extend(value.values())
        elif isinstance(value, list):
            open_values.extend(value)
        elif isinstance(value, int | float) and not abs(value) <= LARGEST:
            raise ValueError("a number that is not finite, or too large")
    return where


Where = Annotated[
    dict[str, Any],
    AfterValidator(plain),
    Field(
        description="Conditions on the items' fields; `GET model` lists the fields.",
        examples=[{"category": ["bags"], "price": {"lt": 50}}],
    ),
]
WHERE: TypeAdapter[dict[str, Any]] = TypeAdapter(Where)


class Question(BaseModel):
    """Recommendations for anyone, by what they took."""

    model_config = ConfigDict(extra="forbid", strict=True)

    history: list[str] = Field(
        max_length=MAX_HISTORY, description="Item ids, oldest first; may be empty."
    )
    k: int = Field(10, ge=1, description="How many items at most.")
    exclude_seen: bool = Field(True, description="Leave out what the history holds.")
    candidates: list[str] | None = Field(
        None, max_length=MAX_CANDIDATES, description="Item ids to choose among; all if not given."
    )
    where: Where | None = None
    explain: Explain = Field(
        False, description="Say why; `history` leaves the views out, which cost more."
    )


Id = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00]+$"),
    AfterValidator(lambda name: normalize("NFC", name)),
]
# older Pydantic minds unquote's arguments
Name = Annotated[Id, BeforeValidator(lambda text: unquote(text))]
"""An id in an address, which is matched as it was sent (`Guard`)."""
Text = Annotated[str, Field(max_length=MAX_TEXT, pattern=r"^[^\x00]*$"), Tag("text")]
Number = Annotated[int | float, AfterValidator(lambda number: _finite(number)), Tag("number")]
Truth = Annotated[bool, Tag("truth")]


def _kind(value: object) -> str | None:
    """Which of the values of a field this is to be, so that an error speaks of that one alone."""
    kinds = {str: "text", bool: "truth", int: "number", float: "number", list: "list"}
    return kinds.get(type(value))


Scalar = Annotated[
    Text | Truth | Number,
    Discriminator(
        _kind,
        custom_error_type="value",
        custom_error_message="not a text, a number, true or false",
    ),
]
Listed = Annotated[list[Scalar], Field(max_length=MAX_VALUES), Tag("list")]
Value = Annotated[
    Text | Truth | Number | Listed,
    Discriminator(
        _kind,
        custom_error_type="value",
        custom_error_message="not a text, a number, true or false, or a list of these",
    ),
]


class EventBody(BaseModel):
    """Somebody took an item."""

    model_config = ConfigDict(extra="forbid", strict=True)

    user_id: Id
    item_id: Id
    timestamp: float | None = Field(
        None, ge=0, le=1e12, description="Seconds after 1970; the server's time if not given."
    )


class Content(BaseModel):
    """What is known of an item."""

    model_config = ConfigDict(extra="forbid", strict=True)

    fields: dict[Id, Value | None] = Field(
        default_factory=dict,
        max_length=MAX_VALUES,
        description="By name; `GET model` lists the fields.",
        examples=[{"title": "A red bag", "category": ["bags"], "price": 49.9}],
    )
    picture: Base64Bytes | None = Field(None, description="The file, in base 64.")


class NewItem(Content):
    """An item that comes."""

    item_id: Id


EVENTS: TypeAdapter[list[EventBody]] = TypeAdapter(
    Annotated[list[EventBody], Field(min_length=1, max_length=MAX_EVENTS)]
)
NewItems = Annotated[list[NewItem], Field(min_length=1, max_length=MAX_ITEMS)]
ITEM: TypeAdapter[NewItem] = TypeAdapter(NewItem)
ITEM_LIST: TypeAdapter[list[NewItem]] = TypeAdapter(NewItems)
ITEMS: TypeAdapter[NewItem | list[NewItem]] = TypeAdapter(NewItem | NewItems)
"""Either of them, for OpenAPI."""
CONTENT: TypeAdapter[Content] = TypeAdapter(Content)


def _finite(number: float) -> float:
    if not abs(number) <= LARGEST:
        raise ValueError("a number that is not finite, or too large")
    return number


class Accepted(BaseModel):
    """Events that are kept."""

    accepted: int = Field(description="As many as were sent.")
    known: int = Field(description="So many of them were there already, with their time.")


class Item(BaseModel):
    """An item as it is now."""

    item_id: str
    fields: dict[str, Any]
    picture: str | None = Field(description="Where its picture is.")


class HistoryReason(BaseModel):
    """What one item of the history has in a score."""

    item_id: str
    share: float


class ViewReason(BaseModel):
    """What one view, or the picture (`image`), has in a score."""

    view: str
    share: float


class WhyItem(BaseModel):
    """Shares of a score; each kind sums to 1."""

    history: list[HistoryReason]
    views: list[ViewReason]
    method: Literal["sum", "leave-one-out"]


class RankedItem(BaseModel):
    """One item of an answer."""

    item_id: str
    rank: int
    score: float
    reasons: WhyItem | None = Field(None, description="There only where `explain` asked for it.")


class Answer(BaseModel):
    """Items, best first, and the model that found them."""

    items: list[RankedItem]
    model: str


class Users(BaseModel):
    """Ids of users."""

    users: list[str]


class FieldValue(BaseModel):
    """A value of a field."""

    value: str
    items: int


class Values(BaseModel):
    """What a field holds."""

    values: list[FieldValue] = Field(description="The commonest first.")
    numbers: bool = Field(description="All of its values are numbers.")


class State(BaseModel):
    """Alive, or ready."""

    status: str
    model: str | None = None


class ProblemDetail(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None
