"""Some sixty user agents: browsers of a few versions on a few systems, and what talks by itself in an office."""

CHROME = "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
EDGE = CHROME + " Edg/{version}.0.0.0"
FIREFOX = "Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
SAFARI = "Mozilla/5.0 ({system}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version}.4 Safari/605.1.15"
MOBILE_CHROME = (
    "Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Mobile Safari/537.36"
)
MOBILE_SAFARI = (
    "Mozilla/5.0 ({system}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version}.4 Mobile/15E148 Safari/604.1"
)

WINDOWS = "Windows NT 10.0; Win64; x64"
MAC = "Macintosh; Intel Mac OS X 10_15_7"
LINUX = "X11; Linux x86_64"

BROWSERS: tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...] = (
    (CHROME, (WINDOWS, MAC, LINUX), (119, 122, 123, 124)),
    (EDGE, (WINDOWS,), (120, 122, 123, 124)),
    (FIREFOX, (WINDOWS, "Macintosh; Intel Mac OS X 10.15", LINUX), (115, 124, 125)),
    (SAFARI, (MAC,), (16, 17)),
    (MOBILE_CHROME, ("Linux; Android 10; K", "Linux; Android 14; SM-S918B"), (122, 124)),
    (MOBILE_SAFARI, ("iPhone; CPU iPhone OS 17_4 like Mac OS X", "iPad; CPU OS 16_7 like Mac OS X"), (16, 17)),
)

PROGRAMS = (
    "Microsoft-Delivery-Optimization/10.0",
    "Windows-Update-Agent/10.0.10011.16384 Client-Protocol/2.70",
    "Microsoft BITS/7.8",
    "Microsoft-CryptoAPI/10.0",
    "Microsoft NCSI",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17425; Pro)",
    "MSOffice 16",
    "Teams/24102.2223.2870.9480",
    "Slack/4.38.125 (Windows; x64)",
    "Zoom/5.17.11 (Win10; x64)",
    "Debian APT-HTTP/1.3 (2.6.1)",
    "libdnf (Fedora Linux 39; workstation; Linux.x86_64)",
    "curl/7.88.1",
    "curl/8.5.0",
    "Wget/1.21.3",
    "python-requests/2.31.0",
    "Python-urllib/3.11",
    "Go-http-client/1.1",
    "Java/17.0.10",
    "okhttp/4.12.0",
    "Dalvik/2.1.0 (Linux; U; Android 13; Pixel 6 Build/TQ3A.230901.001)",
    "com.apple.trustd/3.0",
    "CaptiveNetworkSupport-465.3.1 wispr",
    "VLC/3.0.20 LibVLC/3.0.20",
    "Spotify/123600000 Win32_x86_64/0 (PC laptop)",
    "git/2.43.0",
    "docker/25.0.3 go/go1.21.6 kernel/6.1.0 os/linux arch/amd64",
    "-",
)


def user_agents() -> list[str]:
    """All of them, browsers first; `-` stands for a client that sends none."""
    browsers = [
        template.format(system=system, version=version)
        for template, systems, versions in BROWSERS
        for system in systems
        for version in versions
    ]
    return browsers + list(PROGRAMS)
