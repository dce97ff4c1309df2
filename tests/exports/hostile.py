"""Script bodies that bite template engines: what bash, Cheetah, Jinja2 and ERB each take for their own."""

from __future__ import annotations

from hypothesis import strategies as st

BASH = (
    "$(cmd)", "${x:-1}", "${#a[@]}", "$[1+2]", "\\$basearch", "\\#5", "## comment", "$name", "${server}", "$kernel", "$1", "$$", "`date`", "\\", "\\\\", "\"", "'", "'''", "\"\"\"",
    "if [[ $# -gt 0 ]]; then", "fi", "for i in a b; do", "done", "cat <<'EOF'", "EOF", "%end", "%post", "!", "&&", "\\n", "\\012", "a\\", "# note",
)
CHEETAH = (
    "#if $x", "#end if", "#set $a = 1", "#raw", "#end raw", "#end raw#", "#end  raw", "# end raw", "#endraw", "\\#end raw", "#import os", "#from os import path", "import os", "from x",
    "#encoding utf-8", "#  encoding: latin-1", "#unicode", "# unicode x", "#* hidden *#", "<%= x %>", "<% x %>", "SNIPPET::done", "SNIPPET::", "TEMPLATE::x", "SSNIPPET::a", "$SNIPPET('x')",
    "#include 'x'", "#slurp", "#echo 1", "$undefined_var", "#stop", "#try", "#", "##", "#raw#", "#end raw#${chr(35)}#raw#", "#end if#", "#end\traw", "#:", "#raw:", "#end raw import",
)
JINJA = (
    "{{ x }}", "{{", "}}", "{%", "%}", "{% raw %}", "{% endraw %}", "{%- endraw -%}", "{%+endraw%}", "{%endraw", "{%  endraw", "{{% endraw %}", "{#", "#}", "{# hidden #}", "{% for x in y %}",
    "{", "{ %", "{% raw", "{{ '{%' }}", "#template=cheetah",
)
ERB = (
    "<%= x %>", "<%", "%>", "<%%", "%%>", "<%- x -%>", "-%>", "<%# hidden %>", "% x = 1", "%% y", "#{x}", "<", "%", "<%%%", "%%%>", "<%\n", "<% end %>", "<%% end %>",
)
_PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85\ufffe\uffff"), max_size=12)
_WORD = st.one_of(st.sampled_from(BASH + CHEETAH + JINJA + ERB), _PLAIN, st.sampled_from(" \t\n"))
_LINE = st.lists(_WORD, min_size=0, max_size=6).map("".join)

bodies = st.tuples(st.lists(_LINE, min_size=1, max_size=14), st.sampled_from(["\n", " \n", "", "\n\n", "\n \\", "\n  "])).map(lambda b: "\n".join(b[0]) + b[1])
"""Bodies as they are; what an engine has no escape for is the test's to leave out."""
