"""Where an invoice has its page at the vendor: `CICLO_VENDOR_PAGE`, an address with places for its numbers.

The vendor documents no such address, so that none is built in: whoever installs Ciclo copies one from the browser.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from ciclo.locale import N_, _

VARIABLE = "CICLO_VENDOR_PAGE"
CONTRACT, INVOICE = "{contract}", "{invoice}"


class VendorPageError(ValueError):
    """The setting is no address of an invoice's page. The message, in the reader's language, holds no piece of it."""

    def __str__(self) -> str:
        text = _("{variable} is refused: {why}. Write an address such as {example}, or leave it empty.")
        example = "https://vendor.example/contracts/{contract}/invoices/{invoice}"
        return text.format(variable=VARIABLE, why=_(str(self.args[0])), example=example)


@dataclass(frozen=True, slots=True)
class VendorPage:
    """The address of every invoice's page at the vendor."""

    template: str

    def __post_init__(self) -> None:
        """Refuse what is no address on the web, or would not lead to an invoice.

        Raises:
            VendorPageError: so it is.
        """
        if any(character.isspace() or not character.isprintable() for character in self.template):
            raise VendorPageError(N_("it holds a blank or a character that cannot be printed"))
        try:
            parts = urlsplit(self.template)
            host, _port = parts.hostname, parts.port
        except ValueError:
            raise VendorPageError(N_("it cannot be read")) from None
        if not self.template.startswith(("https://", "http://")) or not host:
            raise VendorPageError(N_("it does not begin with https:// or http:// and a host"))
        if "@" in parts.netloc:
            raise VendorPageError(N_("it holds a user's name or password"))
        if "{" in parts.netloc or "}" in parts.netloc:
            raise VendorPageError(N_("its host has a place for a number"))
        if INVOICE not in self.template:
            raise VendorPageError(N_("it has no {invoice}"))
        rest = self.template.replace(CONTRACT, "").replace(INVOICE, "")
        if "{" in rest or "}" in rest:
            raise VendorPageError(N_("it has braces other than {contract} and {invoice}"))

    def of(self, contract_id: int | None, invoice_id: int) -> str | None:
        """Return the address of an invoice's page; None where it takes a contract that is not known."""
        if contract_id is None and CONTRACT in self.template:
            return None
        return self.template.replace(CONTRACT, str(contract_id)).replace(INVOICE, str(invoice_id))


def vendor_page(setting: str | None) -> VendorPage | None:
    """Read the setting; None where it is empty or not set: no page is linked to.

    Raises:
        VendorPageError: it is no address of an invoice's page.
    """
    given = (setting or "").strip()
    return VendorPage(given) if given else None
