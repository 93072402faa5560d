"""The search attributes of the process: registered where they are missing, and told apart from others of their name."""

from __future__ import annotations

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client

from workflows.contract import SEARCH_ATTRIBUTES


async def register_search_attributes(client: Client) -> list[str]:
    """Adds what the namespace lacks and returns the names that were added; doing it again adds nothing.

    A run that sets an attribute which is not registered fails its workflow task over and over, so this comes first.

    Raises:
        temporalio.service.RPCError: the server refuses, for example because the client may not administer it.
    """
    found = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {
        key.name: IndexedValueType.ValueType(key.indexed_value_type)
        for key in SEARCH_ATTRIBUTES
        if key.name not in found.custom_attributes
    }
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    return list(missing)


async def mistyped_search_attributes(client: Client) -> dict[str, str]:
    """Those of our names that are registered with another type, each with that type, for example `Bool`.

    A run that sets one of them fails its workflow task over and over, just as if it were missing.

    Raises:
        temporalio.service.RPCError: the server refuses.
    """
    found = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return {
        key.name: _type_name(found.custom_attributes[key.name])
        for key in SEARCH_ATTRIBUTES
        if key.name in found.custom_attributes and found.custom_attributes[key.name] != int(key.indexed_value_type)
    }


def _type_name(number: int) -> str:
    """What people call a type of search attributes, for example `Keyword`."""
    return IndexedValueType.Name(IndexedValueType.ValueType(number)).removeprefix("INDEXED_VALUE_TYPE_").title()
