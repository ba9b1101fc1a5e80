"""What documents come to, by Python's decimal: an independent reading of the rules.

Standard input has a document a line: {"rounding", "inclusive", "lines": [{"quantity", "unit_price", "rate", "fee"}]}.
Standard output has a line for each: amounts, then [rate, subtotal, tax] by rate, subtotal, tax, total, withheld; null where
the total, or what is left of it, is below zero.
"""

import json
import sys
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal, getcontext

getcontext().prec = 60
# By magnitude: the reversal of a document is its exact negative.
MODES = {"floor": ROUND_DOWN, "half_up": ROUND_HALF_UP, "ceil": ROUND_UP}


def yen(amount, mode):
    return int(amount.quantize(Decimal(1), rounding=mode))


def withheld(fee):
    if fee <= 0:
        return 0
    lower, upper = min(fee, 1_000_000), max(fee - 1_000_000, 0)
    return yen(Decimal(lower) * Decimal("0.1021") + Decimal(upper) * Decimal("0.2042"), ROUND_DOWN)


for text in sys.stdin:
    document = json.loads(text)
    mode = MODES[document["rounding"]]
    lines = document["lines"]
    amounts = [yen(Decimal(line["quantity"]) * Decimal(line["unit_price"]), mode) for line in lines]
    by_rate = []
    for rate in (0, 8, 10):
        parts = [amount for amount, line in zip(amounts, lines) if line["rate"] == rate]
        if not parts:
            continue
        whole = Decimal(sum(parts))
        if document["inclusive"]:
            tax = yen(whole * rate / (100 + rate), mode)
            by_rate.append([rate, int(whole) - tax, tax])
        else:
            by_rate.append([rate, int(whole), yen(whole * rate / 100, mode)])
    subtotal, tax = sum(part[1] for part in by_rate), sum(part[2] for part in by_rate)
    kept = withheld(sum(amount for amount, line in zip(amounts, lines) if line["fee"]))
    total = subtotal + tax
    answer = None if total < 0 or kept > total else [amounts, by_rate, subtotal, tax, total, kept]
    print(json.dumps(answer))
