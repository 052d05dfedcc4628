"""Write configs/data/tickets.csv again: short support messages and the queue that each belongs to.

All of it is invented. A message is a frame with its gaps filled, sometimes with words before and after it, as
people write them; no two are the same. Run it from the checkout: `python benchmarks/tickets.py`.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

EACH = 125  # messages for each label
SEED = 7
OPENERS = ("", "", "", "Hello, ", "Hi there, ", "Good morning, ", "Quick question: ", "Sorry to bother you, ")
CLOSERS = (
    "",
    "",
    "",
    " Thanks.",
    " Can you help?",
    " Please advise.",
    " Thank you in advance.",
    " Any idea?",
)
THINGS = (
    *("lamp", "kettle", "backpack", "pair of boots", "rain jacket", "desk chair", "headset", "keyboard"),
    *("coffee grinder", "tent", "bicycle pump", "blanket"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "the 3rd", "the 21st")
DEVICES = ("phone", "tablet", "laptop", "work computer", "new phone", "television")
FRAMES: dict[str, tuple[str, ...]] = {
    "delivery": (
        "the {thing} that I ordered on {day} has not arrived yet.",
        "the tracking page of my {thing} has not changed since {day}.",
        "the driver left my {thing} at the wrong house.",
        "can the courier bring the {thing} after six in the evening?",
        "I moved, so please send the {thing} to my new street.",
        "where is my {thing}? It was due {day}.",
        "nobody rang the bell, but the app says that my {thing} was handed over.",
        "how long does shipping a {thing} to an island take?",
        "the parcel with the {thing} is stuck at customs since {day}.",
        "could the {thing} be left with my neighbour?",
        "the courier came on {day} while I was out, when will he try again?",
        "only half of the order came on {day}, the {thing} was not in the box.",
        "can you hurry the {thing} up? I leave on {day}.",
        "do you send a {thing} abroad?",
    ),
    "payment": (
        "I was charged twice for the {thing}.",
        "my card was declined when I bought a {thing} on {day}.",
        "the invoice for the {thing} shows the wrong tax.",
        "can I pay for the {thing} in three instalments?",
        "the discount code did not lower the price of the {thing}.",
        "I need a receipt for the {thing} from {day} for my employer.",
        "do you take bank transfers for a {thing}?",
        "there is a fee on my statement next to the {thing}.",
        "the amount that you took on {day} is higher than the price of the {thing}.",
        "my voucher was used up, but the {thing} still cost the full price.",
        "the checkout shows an error after I enter my card number for the {thing}.",
        "why did the price of the {thing} rise on {day}?",
        "I would like an invoice with the company name for the {thing}.",
        "the money for the {thing} left my bank on {day}, but you say it is unpaid.",
    ),
    "account": (
        "I can't sign in on my {device}.",
        "the password e-mail never comes, I have tried since {day}.",
        "please change the e-mail address of my profile.",
        "how do I turn on two-step login on my {device}?",
        "my profile was locked on {day}.",
        "delete my profile and everything that you store about me, as I asked on {day}.",
        "somebody logged in as me on {day} from a {device}.",
        "my {device} asks for a code that never comes.",
        "my user name is spelled wrong on the {device}.",
        "I have two logins, one for my {device}, and want to merge them.",
        "the newsletter still comes although I unsubscribed on {day}.",
        "can my wife use my membership on her {device}?",
        "I forgot which address I signed up with on {day}.",
        "the app on my {device} logs me out every hour.",
    ),
    "returns": (
        "the {thing} is too small, I want to send it back.",
        "the {thing} came broken, I need a replacement.",
        "how many days do I have to give back a {thing}?",
        "please print me a label so that I can return the {thing}.",
        "I changed my mind about the {thing} from {day}.",
        "can I swap the {thing} for another colour?",
        "you sent the wrong {thing}, I would like to exchange it.",
        "the zip of the {thing} failed on {day}, is that under warranty?",
        "a part of the {thing} is missing, take it back please.",
        "I sent the {thing} back on {day}, did you get it?",
        "the {thing} looks used, I do not want to keep it.",
        "does opening the box of the {thing} end my right to give it back?",
        "the {thing} stopped working on {day}, who repairs it?",
        "which address do I post the {thing} to if I do not want it?",
    ),
}


def messages(label: str, chosen: random.Random) -> list[str]:
    """Return EACH different messages of a label."""
    found: dict[str, None] = {}
    while len(found) < EACH:
        frame = FRAMES[label][len(found) % len(FRAMES[label])]
        text = frame.format(
            thing=chosen.choice(THINGS), day=chosen.choice(DAYS), device=chosen.choice(DEVICES)
        )
        whole = chosen.choice(OPENERS) + text + chosen.choice(CLOSERS)
        found[whole[0].upper() + whole[1:]] = None
    return list(found)


def rows() -> list[tuple[str, str]]:
    """Return all messages with their labels, mixed."""
    chosen = random.Random(SEED)
    found = [(text, label) for label in FRAMES for text in messages(label, chosen)]
    chosen.shuffle(found)
    return found


def main() -> None:
    """Write the file."""
    path = Path(__file__).parents[1] / "configs" / "data" / "tickets.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("text", "label"))
        table.writerows(rows())


if __name__ == "__main__":
    main()
