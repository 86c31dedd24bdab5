"""What a database would make of a text: a short word with a letter for each token, in up to three contexts.

An injected text continues somebody else's statement: as it stands, where a number was expected (`-`), or behind the
quote that closes a string (`'` or `"`). So a text is read up to three times, and each reading starts with the sign of
its context: `1' or '1'='1` is `-1s1s1` and `'&s=s`. Rules are patterns of such words (form = "sql"), and see the
statement, whatever its names, numbers, blanks, comments and case.

    1 number, null, true    s string            n name              v @variable
    f function              F function for attackers: sleep, extractvalue, load_file
    = comparison            & and, or, xor      | the sign ||       + arithmetic        ! not
    * star                  , ( ) ; { } .       c comment up to the end of the line     ? anything else
    S select    U union     M from    W where   B order by, group by    H having    L limit, offset    I into    J join
    D drop, alter, create   o table, database   i insert, replace       u update    d delete    t set    V values
    E exec, declare, call   w waitfor           k case                  T when, then, else, end      x shutdown, grant
"""

from __future__ import annotations

import re

LONGEST = 2048
MOST_TOKENS = 96
# What stands in few texts that are no SQL. A text that has it is read; nothing more follows from it.
TRIGGER = (
    r"['\"\x60#]|--|/\*|@@|\|\||&&|\b(?:select|union|having|waitfor|exec(?:ute)?|declare|insert\s+into"
    r"|update\s|delete\s+from|drop|alter|create|truncate|shutdown|procedure|begin|order\s+by|group\s+by)\b"
    r"|\b(?:and|or|xor|div|where|like|limit|case)\b.{0,80}[=<>(\d@]|;\s*[a-z]{3}|\d\s*=\s*\d|\d\)+\s*;|\b(?:i?if|version|char|chr|user|database|length|ascii|concat|mid)\s*\(|\)\s*[=+*|<>&-]|\w\(.{0,80}\(|(?:sleep|benchmark|_file|value|xml)\s*\("
)
_WORDS = {
    "1": "null true false",
    "&": "and or xor",
    "=": "like ilike rlike regexp in is between similar glob",
    "!": "not",
    "S": "select", "U": "union intersect except minus", "M": "from", "W": "where", "H": "having",
    "L": "limit offset", "I": "into", "J": "join", "V": "values", "t": "set",
    "D": "drop alter create truncate rename", "i": "insert replace", "u": "update", "d": "delete merge",
    "o": "table database schema view procedure function trigger index column login role tablespace",
    "E": "exec execute declare call prepare handler", "w": "waitfor", "k": "case", "T": "when then else end elsif",
    "x": "shutdown begin commit rollback grant revoke copy attach vacuum pragma kill reconfigure backup dbcc",
    "+": "div mod",
    "": "all distinct distinctrow as binary exists any some escape collate outer inner left right cross natural top",
}  # fmt: skip
_FUNCTIONS = {
    "f": "ascii ord char chr nchar unichar concat concat_ws group_concat string_agg listagg substr substring mid left"
    " right len length char_length octet_length bit_length lower upper lcase ucase trim ltrim rtrim replace reverse"
    " repeat replicate space stuff cast convert hex unhex bin oct conv to_char to_number to_date count sum min max avg"
    " abs floor ceil ceiling round rand random randomblob zeroblob sqrt pow power exp mod if iif ifnull isnull nvl"
    " nullif coalesce decode elt field find_in_set make_set export_set instr locate position charindex patindex md5"
    " sha sha1 sha2 password encode encrypt compress uncompress user current_user session_user system_user database"
    " schema version connection_id sysdate curdate getdate extract row_count last_insert_id found_rows db_name db_id"
    " object_id object_name col_name host_name suser_name user_name is_srvrolemember has_dbaccess current_database"
    " current_schema array_to_string quote quote_literal xmltype xmlelement json_keys json_extract greatest least"
    " typeof unicode quotename soundex regexp_substr regexp_replace regexp_like regexp_substring lpad rpad"
    " crypt_key pi row",
    "F": "sleep benchmark pg_sleep pg_sleep_for load_file extractvalue updatexml xp_cmdshell xp_dirtree"
    " xp_regread sp_executesql sp_password load_extension name_const st_latfromgeohash gtid_subset"
    " gtid_subtract dblink pg_read_file pg_ls_dir lo_import lo_export query_to_xml database_to_xml"
    " fn_listextendedproperty openrowset opendatasource openquery generate_series sys_eval sys_exec"
    " drithsx.sn get_host_address get_host_name utl_http.request httpuritype receive_message"
    " dbms_lock.sleep sqlid_to_sqlhash getxml dbms_ldap.init get_domain_index_tables user_lock.sleep"
    " getmappingxpath",
}
_LETTER = {word: letter for letter, words in _WORDS.items() for word in words.split()}
_CALLED = {word: letter for letter, words in _FUNCTIONS.items() for word in words.split()}
_TOKEN = re.compile(  # of a text in lower case; the most frequent first
    r"""\s*(?:(?P<sign>[*,();{}])
    |(?P<number>0x[0-9a-f]*|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[bx]'[0-9a-f]*')
    |(?P<B>[og]r(?:der|oup)\s+(?:siblings\s+)?by\b)
    |(?P<word>[^\W\d][\w$]*(?:\.+[^\W\d][\w$]*)*)
    |(?P<s>'(?:[^'\\]|\\.|'')*(?:'|\\?\Z)|"(?:[^"\\]|\\.|"")*(?:"|\\?\Z))
    |(?P<compare><=>|<>|!=|\^=|<=|>=|:=|==?|<|>|~\*?)
    |(?P<c>--(?=[\s\-+'"%;*/\#)]|\Z)[^\n]*|\#[^\n]*|/\*.*\Z)
    |(?P<v>@{1,2}[\w$.`]*)
    |(?P<n>`[^`]*(?:`|\Z)|\[[^\]\[]{1,64}\])
    |(?P<logic>&&)
    |(?P<bars>\|\|)
    |(?P<arithmetic>[+\-/%^|&])
    |(?P<other>\S))""",
    re.VERBOSE | re.DOTALL,
)
_SIGNS = {"number": "1", "logic": "&", "bars": "|", "compare": "=", "arithmetic": "+"}
_VERSION = re.compile(r"!(?:\d{5,6})?")
_CALL = re.compile(r"\s*\(")


def form(text: str) -> list[str]:
    """The text as words of tokens: as it stands, and behind its first quote of either kind."""
    text = text[:LONGEST].lower()
    if "/*" in text:
        text = _without_comments(text)
    words = ["-" + _word(text)]
    for quote in "'\"":
        place = text.find(quote)
        if place >= 0:
            words.append(quote + _word(text[place + 1 :]))
    return words


def _without_comments(text: str) -> str:
    """A blank for each closed comment; what is in `/*! … */` stays, since MySQL runs it."""
    kept, place = [], 0
    while (start := text.find("/*", place)) >= 0 and (end := text.find("*/", start + 2)) >= 0:
        version = _VERSION.match(text, start + 2)
        kept += [text[place:start], " ", text[version.end() : end] if version else "", " "]
        place = end + 2
    return "".join([*kept, text[place:]])


def _word(text: str) -> str:
    letters: list[str] = []
    last = ""
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup or ""
        if kind == "word":
            letter = _letter(token["word"], text, token.end())
            if letter == "o" and last != "D":
                letter = "n"
        elif kind == "sign":
            letter = token["sign"]
        elif kind == "other":
            letter = token["other"] if token["other"] in "!." else "?"
        else:
            letter = _SIGNS.get(kind, kind)
        if letter == last and letter in "+!1.(":  # --1, ((( and what numbers a list of them ends in
            continue
        if last == "," and letters[-4:-1] == [letter, ",", letter]:  # a list shows two of a kind, then goes on
            letters.pop()
            last = letter
            continue
        letters.append(letter)
        last = letter
        if len(letters) >= MOST_TOKENS:
            break
    return "".join(letters)


def _letter(word: str, text: str, end: int) -> str:
    called = _CALL.match(text, end) is not None
    if called:
        letter = _CALLED.get(word)
        if letter is None and "." in word:
            tail = word.rsplit(".", 2)
            letter = _CALLED.get(".".join(tail[-2:])) or _CALLED.get(tail[-1])
        if letter is not None and word not in _LETTER:
            return letter
    return _LETTER.get(word, "n")
