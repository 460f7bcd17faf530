"""What a hostile visitor or file puts into names and texts: made by rule, so that the cases are many and not a list of examples."""

from __future__ import annotations

import itertools

#: A word that stands nowhere else.
CANARY = "canaryQ7x41Zk"

_UP = ("../", "..\\", "%2e%2e%2f", "....//", "..;/", "\u2024\u2024/", "..%5c", "/", "\\\\server\\share\\", "C:\\", "~/", "file:///")
_TO = (f"etc/{CANARY}", f"{CANARY}.nii.gz", f"a/../../{CANARY}.h5ad", f"{CANARY}\x00.nii", f"{CANARY}\n.nii")
TRAVERSALS = tuple(f"{up * 3}{to}" for up, to in itertools.product(_UP, _TO))

#: What a script does when it runs: each way leaves a mark that a test can see.
_RUN = ("window.hit=1", "alert(1)", "parent.hit=1", "document.title='hit'")
_FORMS = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "</script><script>{}</script>",
    '"><img src=x onerror={}>',
    "' autofocus onfocus={} x='",
    "<iframe srcdoc='<script>{}</script>'>",
    "<a href='javascript:{}'>x</a>",
    "[x](javascript:{})",
    "<details open ontoggle={}>",
    "<style>@import 'x';</style><body onload={}>",
    "<math><mtext></p><img src=x onerror={}>",
    "</textarea><script>{}</script>",
    "</title><svg><script>{}</script>",
    "--><script>{}</script>",
    "]]><script>{}</script>",
    "{{{{constructor.constructor('{}')()}}}}",
    "<object data='javascript:{}'>",
    "<form action='javascript:{}'><button>x</button></form>",
    "<scr\x00ipt>{}</scr\x00ipt><video src=x onerror={}>",
    "\u202e<script>{}</script>",
    "<meta http-equiv=refresh content='0;url=javascript:{}'>",
    "<base href='//evil.example'><script src=x.js>{}</script>",
    "\ufeff<embed src='javascript:{}'>",
    "{{% raw %}}<input onfocus={} autofocus>",
)
SCRIPTS = tuple(form.replace("{}", run).replace("{{", "{").replace("}}", "}") for form, run in itertools.product(_FORMS, _RUN))
