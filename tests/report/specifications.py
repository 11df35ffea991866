"""The numbers inside a chart's specification."""

from __future__ import annotations

from typing import Any


def layers(specification: dict[str, Any]) -> list[dict[str, Any]]:
    """Its layers."""
    found: list[dict[str, Any]] = specification["layer"]
    return found


def rows_of(specification: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that a layer draws."""
    data = layer.get("data") or specification["data"]
    rows: list[dict[str, Any]] = specification["datasets"][data["name"]] if "name" in data else data["values"]
    return rows


def all_rows(specification: dict[str, Any]) -> list[dict[str, Any]]:
    """Every row of every layer."""
    return [row for layer in layers(specification) for row in rows_of(specification, layer)]
