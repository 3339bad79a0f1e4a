"""Tables in a page: what was asked for, and the URLs that sort, page and export what is shown.

The one rule: a table's state is in its URL and nowhere else, so that every view can be shared and reloaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import Depends, Query

from ciclo.console.rendering import Links, View
from ciclo.ledger.queries.paging import LARGEST_PAGE, Page, PageRequest

SIZES = (25, 50, 100, LARGEST_PAGE)


def page_request(
    page: Annotated[int, Query(ge=1, le=10_000_000)] = 1,
    size: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = SIZES[0],
    sort: Annotated[str, Query(max_length=30, pattern="^[a-z_]*$")] = "",
    desc: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query parameter
) -> PageRequest:
    """Read which page of a table is wanted."""
    return PageRequest(page, size, sort, desc)


def wants_file(file_format: Annotated[Literal["html", "csv"], Query(alias="format")] = "html") -> bool:
    """Whether the whole table is wanted as a CSV file."""
    return file_format == "csv"


AsFile = Annotated[bool, Depends(wants_file)]
PageDep = Annotated[PageRequest, Depends(page_request)]


@dataclass(frozen=True, slots=True)
class Table:
    """A page of rows with the URLs around it."""

    page: Page[Any]
    path: str
    filters: Mapping[str, Any]
    links: Links
    what: str
    """What a row is, in the singular: for the heading and the empty state."""
    exports: bool = True

    def sort_url(self, key: str) -> str:
        """URL that sorts by a column; a second click turns it around."""
        request = self.page.request
        turned = request.sort == key and not request.descending
        return self._url(replace(request, number=1, sort=key, descending=turned))

    def aria_sort(self, key: str) -> str:
        """Value of `aria-sort` for a column."""
        if self.page.request.sort != key:
            return "none"
        return "descending" if self.page.request.descending else "ascending"

    def page_url(self, number: int) -> str:
        """URL of another page."""
        return self._url(replace(self.page.request, number=number))

    def size_url(self, size: int) -> str:
        """URL of the first page with another number of rows."""
        return self._url(replace(self.page.request, number=1, size=size))

    def filter_url(self, **changes: Any) -> str:
        """URL of the first page with other filters."""
        return self._url(replace(self.page.request, number=1), **changes)

    @property
    def csv_url(self) -> str:
        """URL of the whole table as a file, in the order shown."""
        return self._url(replace(self.page.request, number=1, size=SIZES[0]), format="csv")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of rows to choose from."""
        return SIZES

    def _url(self, request: PageRequest, **more: Any) -> str:
        return self.links.url(
            self.path,
            **{**self.filters, **more},
            sort=request.sort,
            desc=request.descending,
            page=request.number if request.number > 1 else None,
            size=request.size if request.size != SIZES[0] else None,
        )


def table(
    view: View, page: Page[Any], path: str, what: str, filters: Mapping[str, Any] | None = None, *, exports: bool = True
) -> Table:
    """Put a page of rows among its URLs."""
    return Table(page, path, filters or {}, view.links, what, exports)
