"""The methods of the client, one an endpoint of the API's reference, a file a group of nouns.

A method returns what the API promises or raises an `ApiError` whose class says what to do next. Reads are retried here;
a write is sent again only if it certainly did not reach the application, and with `within` no attempt
begins later than so many seconds from now, so that a claim's lease is never outlived.

A list is a `Listing` and a paginated search a `Search`: both give the records that could be read and keep those that
could not in `odd`, so that one odd record costs nobody else anything and is not lost.
"""

from ciclo.billimatic.endpoints.catalogues import Catalogues
from ciclo.billimatic.endpoints.invoices import Invoices
from ciclo.billimatic.endpoints.parties import Parties

__all__ = ["Catalogues", "Invoices", "Parties"]
