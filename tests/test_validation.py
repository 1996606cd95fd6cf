"""Sentences for what pydantic refuses, and for names that are nearly right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from vidtrans.validation import did_you_mean, first_problem


class _Class(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    colour: tuple[int, int, int] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    classes: tuple[_Class, ...]
    steps: Annotated[int, Field(gt=0)] = 1
    size: str = ""

    @field_validator("size")
    @classmethod
    def _a_size(cls, value: str) -> str:
        if value == "5":
            raise ValueError("a size is WIDTHxHEIGHT, as 512x256, not '5'")
        return value


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"clases": []}, "clases: unknown key. Did you mean classes?"),
        (
            {"classes": [{"name": "car"}, {"nam": "bus"}]},
            "classes[1].nam: unknown key. Did you mean name?",
        ),
        ({"classes": [{}]}, "classes[0].name: Field required."),
        (
            {"classes": [{"name": "car", "hue": 3}]},
            "classes[0].hue: unknown key. Known: name, colour.",
        ),
        ({"classes": [], "steps": -1}, "steps: Input should be greater than 0 (found -1)."),
        (
            {"classes": [{"name": "car", "colour": [1, 2, "x"]}]},
            "classes[0].colour[2]: Input should be a valid integer, unable to parse string as an"
            " integer (found 'x').",
        ),
        ({"classes": [], "size": "5"}, "size: a size is WIDTHxHEIGHT, as 512x256, not '5'."),
        ({"classes": {}}, "classes: Input should be a valid tuple."),
        (
            {"classes": "x" * 10_000},
            f"classes: Input should be a valid tuple (found '{'x' * 60}...').",
        ),
    ],
)
def test_the_first_problem_of_a_model_names_key_value_and_what_was_expected(
    values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        _File.model_validate(values)
    assert first_problem(caught.value, _File) == sentence


def test_what_is_no_table_at_all_is_said_without_a_key() -> None:
    with pytest.raises(ValidationError) as caught:
        _File.model_validate(3)
    assert first_problem(caught.value, _File).endswith("(found 3).")


@dataclass
class _Cut:
    __pydantic_config__ = ConfigDict(extra="forbid")
    start: int
    kind: Literal["cut"] = "cut"


def test_a_dataclass_in_a_tagged_union_names_its_own_keys_and_no_tag() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(list[_Cut]).validate_python([{"strat": 3}])
    assert first_problem(caught.value, list[_Cut]) == "[0].strat: unknown key. Did you mean start?"
    assert first_problem(caught.value, _Cut, skip={0}) == "strat: unknown key. Did you mean start?"


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("skyy", ["road", "sky", "car"], "Did you mean sky?"),
        ("Rider", ["rider"], "Did you mean rider?"),
        ("rode", ["road", "rod", "sky"], "Did you mean rod or road?"),
        ("xyz", ["road", "sky"], "Known: road, sky."),
        ("xyz", [f"class {number}" for number in range(200)], ""),
        ("xyz", [], ""),
    ],
)
def test_an_unknown_name_gets_the_nearest_known_ones(
    name: str, known: list[str], sentence: str
) -> None:
    assert did_you_mean(name, known) == sentence
