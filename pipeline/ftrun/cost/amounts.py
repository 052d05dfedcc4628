"""How an amount of money is written: US$, and yen beside it where a rate is known."""

from __future__ import annotations

SMALL = 0.1  # US$; below it cents alone would say nothing


def money(usd: float, yen_per_usd: float | None = None) -> str:
    """Return an amount such as `US$1.23` or, with a rate, `US$1.23 (¥190)`."""
    dollars = f"US${usd:,.2f}" if usd >= SMALL or usd == 0 else f"US${usd:.4f}"
    if yen_per_usd is None:
        return dollars
    yen = usd * yen_per_usd
    return f"{dollars} ({'under ¥1' if 0 < yen < 1 else f'¥{yen:,.0f}'})"
