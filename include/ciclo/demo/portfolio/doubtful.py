"""What a finance person has to look at: nothing here may be billed silently, nothing may be lost."""

from datetime import date
from typing import Final

from ciclo.demo.sales import 


