"""Programs that name themselves, in the order in which they are looked for: the first rule that matches wins.

A rule is `(service type, name for people, pattern)`. A pattern is looked for in the folded (lower-case) user agent:
plain text anywhere in it, plain text with `^` at its beginning, or a regular expression; one that starts with `^` is
tried at the beginning only, so no alternative in it may stand elsewhere.

What pretends to be something else comes first: AI agents and bots carry a browser's text, televisions and consoles are
browsers too, package managers carry the name of the library that they use.
"""

from __future__ import annotations

import re
from typing import Final

BROWSER: Final = "Browser"
MOBILE_APP: Final = "Mobile app"
DESKTOP_APP: Final = "Desktop app"
LIBRARY: Final = "Command line and libraries"
PACKAGES: Final = "Package manager"
UPDATE: Final = "System update"
BOT: Final = "Bot"
AI: Final = "AI agent"
MEDIA: Final = "Media player"
DEVICE: Final = "Device"
OTHER: Final = "Other"
SERVICE_TYPES = (BROWSER, MOBILE_APP, DESKTOP_APP, LIBRARY, PACKAGES, UPDATE, BOT, AI, MEDIA, DEVICE, OTHER)

Rule = tuple[str, str, str | re.Pattern[str]]

_AI_AGENTS: tuple[Rule, ...] = (
    # Crawlers and fetchers as their makers document them.
    (AI, "GPTBot", "gptbot/"),
    (AI, "ChatGPT-User", "chatgpt-user/"),
    (AI, "OAI-SearchBot", "oai-searchbot/"),
    (AI, "ClaudeBot", "claudebot/"),
    (AI, "Claude-User", "claude-user/"),
    (AI, "Claude-SearchBot", "claude-searchbot/"),
    (AI, "anthropic-ai", "anthropic-ai"),
    (AI, "PerplexityBot", "perplexitybot/"),
    (AI, "Perplexity-User", "perplexity-user/"),
    (AI, "Google-CloudVertexBot", "google-cloudvertexbot"),
    (AI, "Meta-ExternalAgent", "meta-externalagent"),
    (AI, "Meta-ExternalFetcher", "meta-externalfetcher"),
    (AI, "Bytespider", "bytespider"),
    (AI, "Amazonbot", "amazonbot/"),
    (AI, "CCBot", "ccbot/"),
    (AI, "MistralAI-User", "mistralai-user"),
    (AI, "DuckAssistBot", "duckassistbot"),
    (AI, "cohere-ai", "cohere-ai"),
    (AI, "YouBot", "youbot"),
    (AI, "Diffbot", "diffbot"),
    # Assistants and the libraries that programs ask models with.
    (AI, "Claude Code", re.compile(r"^claude-(cli|code)/")),
    (AI, "Claude", re.compile(r" claude/\d|^claude/")),
    (AI, "ChatGPT", re.compile(r" chatgpt/\d|^chatgpt/")),
    (AI, "OpenAI library", re.compile(r"^(async)?openai/")),
    (AI, "Anthropic library", re.compile(r"^(async)?anthropic/")),
    (AI, "Ollama", "^ollama/"),
    (AI, "Cursor", " cursor/"),
    (AI, "GitHub Copilot", "githubcopilot"),
    (AI, "GitHub Copilot", "^copilot-language-server"),
    (AI, "Codex", "^codex_cli"),
    (AI, "Gemini CLI", "^geminicli/"),
)

_BOTS: tuple[Rule, ...] = (
    (BOT, "Googlebot", "googlebot"),
    (BOT, "Google crawler", re.compile(r"adsbot-google|mediapartners-google|google-inspectiontool|feedfetcher-google")),
    (BOT, "bingbot", "bingbot"),
    (BOT, "YandexBot", "yandexbot"),
    (BOT, "Baiduspider", "baiduspider"),
    (BOT, "DuckDuckBot", "duckduckbot"),
    (BOT, "Applebot", "applebot"),
    (BOT, "Facebook link preview", "facebookexternalhit"),
    (BOT, "Slackbot", "slackbot"),
    (BOT, "Twitterbot", "twitterbot"),
    (BOT, "LinkedInBot", "linkedinbot"),
    (BOT, "TelegramBot", "telegrambot"),
    (BOT, "AhrefsBot", "ahrefsbot"),
    (BOT, "SemrushBot", "semrushbot"),
    (BOT, "MJ12bot", "mj12bot"),
    (BOT, "PetalBot", "petalbot"),
    (BOT, "UptimeRobot", "uptimerobot"),
    (BOT, "Pingdom", "pingdom"),
    (BOT, "Headless Chrome", "headlesschrome"),
    (BOT, "PhantomJS", "phantomjs"),
    # Scanners: whoever runs one in a network should know.
    (BOT, "Nmap", "nmap scripting engine"),
    (BOT, "Nikto", "nikto"),
    (BOT, "sqlmap", "^sqlmap/"),
    (BOT, "Nuclei", "nuclei"),
    (BOT, "ZGrab", "zgrab"),
    (BOT, "masscan", "masscan/"),
    (BOT, "WPScan", "^wpscan"),
    (BOT, "Gobuster", "^gobuster/"),
    (BOT, "feroxbuster", "^feroxbuster/"),
    (BOT, "ffuf", "^fuzz faster u fool"),
)

_DEVICES: tuple[Rule, ...] = (
    (DEVICE, "PlayStation", "playstation"),
    (DEVICE, "Xbox", "xbox"),
    (DEVICE, "Nintendo", "nintendo"),
    (DEVICE, "Roku", re.compile(r"\broku[/ ]")),
    (DEVICE, "Apple TV", re.compile(r"apple ?tv|^tvos")),
    (DEVICE, "Chromecast", re.compile(r"crkey/|chromecast")),
    (DEVICE, "Fire TV", re.compile(r"; aft[a-z0-9]+ build/")),
    (DEVICE, "Samsung TV", re.compile(r"tizen.* tv |smart-tv.*tizen|^samsung tv|maple2012")),
    (DEVICE, "LG TV", re.compile(r"web0s|webos\.tv|netcast")),
    (DEVICE, "Android TV", re.compile(r"android ?tv|googletv|bravia")),
    (DEVICE, "TV", re.compile(r"smart-?tv|hbbtv")),
    (DEVICE, "Sonos", "sonos/"),
    (DEVICE, "Amazon Echo", re.compile(r"amazonwebview/.*echo|^alexamediaplayer")),
    (DEVICE, "HP printer", re.compile(r"^hp-chaiserver|^hp ?(smart|printer|laserjet|officejet|print)|^hpplugin")),
    (DEVICE, "Epson printer", "^epson"),
    (DEVICE, "Canon printer", "^canon"),
    (DEVICE, "Brother printer", "^brother"),
    (DEVICE, "Xerox printer", "^xerox"),
    (DEVICE, "Lexmark printer", "^lexmark"),
    (DEVICE, "Ricoh printer", "^ricoh"),
    (DEVICE, "Kyocera printer", "^kyocera"),
    (DEVICE, "CUPS", "^cups/"),
    (DEVICE, "Hikvision camera", "^hikvision"),
    (DEVICE, "Axis camera", "^axis "),
    (DEVICE, "Synology", "^synology"),
    (DEVICE, "QNAP", "^qnap"),
    (DEVICE, "MikroTik", "^mikrotik"),
    (DEVICE, "Yealink phone", "^yealink"),
    (DEVICE, "Polycom phone", re.compile(r"^(poly|polycom)[^a-z]|^filetransport polycom")),
    (DEVICE, "Cisco device", "^cisco"),
    (DEVICE, "ESP8266", re.compile(r"^esp-?8266")),
    (DEVICE, "ESP32", "^esp32"),
)

_PACKAGE_MANAGERS: tuple[Rule, ...] = (
    (PACKAGES, "APT", "apt-http/"),
    (PACKAGES, "APT", "^apt-cacher-ng"),
    (PACKAGES, "DNF", re.compile(r"^(libdnf|dnf|packagekit-hawkey)\b")),
    (PACKAGES, "YUM", re.compile(r"\byum/")),
    (PACKAGES, "Zypper", "^zypp"),
    (PACKAGES, "pacman", "^pacman/"),
    (PACKAGES, "apk", "^apk-tools/"),
    (PACKAGES, "Portage", "^portage"),
    (PACKAGES, "pkg", re.compile(r"^pkg/\d")),
    (PACKAGES, "Nix", re.compile(r"\bnix/\d")),
    (PACKAGES, "Snap", "^snapd/"),
    (PACKAGES, "Flatpak", re.compile(r"^(flatpak|libostree|ostree)")),
    (PACKAGES, "Homebrew", "^homebrew/"),
    (PACKAGES, "Chocolatey", "chocolatey"),
    (PACKAGES, "WinGet", re.compile(r"windowspackagemanager|^winget")),
    (PACKAGES, "Scoop", "^scoop/"),
    (PACKAGES, "pip", "^pip/"),
    (PACKAGES, "uv", "^uv/"),
    (PACKAGES, "Poetry", "^poetry/"),
    (PACKAGES, "conda", re.compile(r"^(conda|mamba|micromamba|libmamba)/")),
    (PACKAGES, "pnpm", "^pnpm/"),
    (PACKAGES, "Yarn", re.compile(r"yarnpkg|^yarn/")),
    (PACKAGES, "npm", "^npm/"),
    (PACKAGES, "Bun", "^bun/"),
    (PACKAGES, "Bundler", "^bundler/"),
    (PACKAGES, "RubyGems", re.compile(r"^rubygems/|^ruby, rubygems")),
    (PACKAGES, "Cargo", re.compile(r"^cargo[ /]")),
    (PACKAGES, "Go modules", "^gomodulemirror"),
    (PACKAGES, "Composer", "^composer/"),
    (PACKAGES, "NuGet", "^nuget"),
    (PACKAGES, "Maven", "^apache-maven/"),
    (PACKAGES, "Gradle", "^gradle/"),
    (PACKAGES, "Helm", "^helm/"),
    (PACKAGES, "Docker", re.compile(r"docker-client/|^(docker|buildkit|moby)/")),
    (PACKAGES, "containerd", "^containerd/"),
    (PACKAGES, "Podman", re.compile(r"^(containers|podman|skopeo|buildah|cri-o)/")),
)

# What a system and its programs fetch by themselves: updates, lists of certificates, whether there is a network.
_UPDATES: tuple[Rule, ...] = (
    (UPDATE, "Windows Update", re.compile(r"^windows-update-agent|^microsoft sus client|^windowsupdate")),
    (UPDATE, "Delivery Optimization", "^microsoft-delivery-optimization"),
    (UPDATE, "Microsoft BITS", "^microsoft bits/"),
    (UPDATE, "Microsoft CryptoAPI", "^microsoft-cryptoapi"),
    (UPDATE, "Microsoft NCSI", "^microsoft ncsi"),
    (UPDATE, "Windows notifications", "^microsoft-wns/"),
    (UPDATE, "Microsoft Defender", re.compile(r"^(msmpeng|mpcommunication|windows defender|microsoft defender)")),
    (UPDATE, "Edge Update", "microsoftedgeupdate"),
    (UPDATE, "Office Update", "^officeclicktorun"),
    (UPDATE, "Apple Software Update", re.compile(r"^(softwareupdated?|software%20update|mobileassetd)\b")),
    (UPDATE, "Apple background downloads", "^nsurlsessiond"),
    (UPDATE, "App Store", re.compile(r"^(mac)?appstored?/|^macappstore|^itunesstored|^com\.apple\.appstored")),
    (UPDATE, "Apple trustd", re.compile(r"^(com\.apple\.)?(trustd|securityd|ocspd)\b")),
    (UPDATE, "Apple network check", "captivenetworksupport"),
    (UPDATE, "Google Update", re.compile(r"googleupdate|^google update|^omaha")),
    (UPDATE, "Google Software Update", "ksadmin"),
    (UPDATE, "Firefox Update", "^mozilla maintenance"),
    (UPDATE, "Adobe Update", re.compile(r"^(adobe update|acrobat update|aam|adobe arm)")),
    (UPDATE, "Java Update", re.compile(r"^(jupdate|java update)")),
    (UPDATE, "fwupd", "^fwupd/"),
    (UPDATE, "ClamAV", "^clamav/"),
    (UPDATE, "NetworkManager", "^networkmanager"),
    (UPDATE, "Ubuntu update", re.compile(r"^(update-manager|ubuntu-advantage|ubuntu pro|check-new-release)")),
    (UPDATE, "Kaspersky", "^kaspersky"),
    (UPDATE, "ESET", re.compile(r"^ees update|^eset|^ess update|^eav update")),
    (UPDATE, "Sophos", "^sophos"),
    (UPDATE, "Symantec LiveUpdate", re.compile(r"^symantec|^liveupdate")),
)

_MEDIA_PLAYERS: tuple[Rule, ...] = (
    (MEDIA, "VLC", re.compile(r"libvlc/|^vlc[/ ]")),
    (MEDIA, "Spotify", "spotify/"),
    (MEDIA, "Apple media player", "applecoremedia/"),
    (MEDIA, "iTunes", "^itunes/"),
    (MEDIA, "Apple Music", re.compile(r"^music/.*(macintosh|cfnetwork|os x)")),
    (MEDIA, "Apple Podcasts", re.compile(r"^(applepodcasts|podcasts)/")),
    (MEDIA, "FFmpeg", re.compile(r"^(lavf|ffmpeg)")),
    (MEDIA, "mpv", re.compile(r"^(lib)?mpv[ /]")),
    (MEDIA, "MPlayer", "^mplayer"),
    (MEDIA, "Kodi", re.compile(r"^(kodi|xbmc)/")),
    (MEDIA, "Plex", "^plex"),
    (MEDIA, "Jellyfin", "^jellyfin"),
    (MEDIA, "Windows Media Player", re.compile(r"^(nsplayer|windows-media-player|wmplayer|wmfsdk)/")),
    (MEDIA, "Winamp", re.compile(r"^(winamp|nullsoft winamp)")),
    (MEDIA, "foobar2000", "^foobar2000"),
    (MEDIA, "GStreamer", "^gstreamer"),
    (MEDIA, "ExoPlayer", re.compile(r"exoplayer(lib)?/|androidxmedia3/")),
    (MEDIA, "Android media player", "^stagefright/"),
    (MEDIA, "YouTube", re.compile(r"^com\.google\.(android|ios)\.youtube|^youtube/")),
    (MEDIA, "Netflix", re.compile(r"^(com\.netflix|netflix|argo/)")),
    (MEDIA, "Deezer", "^deezer"),
    (MEDIA, "TIDAL", "^tidal"),
)

_APPS: tuple[Rule, ...] = (
    (MOBILE_APP, "Google Play services", "^com.google.android.gms/"),
    (MOBILE_APP, "Android downloads", "^androiddownloadmanager"),
    (MOBILE_APP, "Android app", "^dalvik/"),
    (MOBILE_APP, "okhttp", "^okhttp/"),
    (MOBILE_APP, "Alamofire", re.compile(r"\balamofire/")),
    (MOBILE_APP, "Dart", "^dart/"),
    (MOBILE_APP, "Android WebView", re.compile(r"android [^)]*; wv\)")),
    (MOBILE_APP, "Safari", "^mobilesafari/"),
    (MOBILE_APP, "WhatsApp", re.compile(r"^whatsapp/[\d.]+ [ai]\b")),
    (DESKTOP_APP, "WhatsApp", "^whatsapp/"),
    (DESKTOP_APP, "Outlook", "microsoft outlook"),
    (DESKTOP_APP, "Microsoft Office", re.compile(r"microsoft (word|excel)|^(microsoft office|msoffice|mso)[ /]")),
    (DESKTOP_APP, "Microsoft Teams", re.compile(r"\bteams(mobile)?/")),
    (DESKTOP_APP, "OneDrive", re.compile(r"^(microsoft skydrivesync|onedrive)")),
    (DESKTOP_APP, "Dropbox", "^dropbox"),
    (DESKTOP_APP, "Google Drive", "google drive"),
    (DESKTOP_APP, "Skype", "skype"),
    (DESKTOP_APP, "Zoom", re.compile(r"\bzoom/\d|^(mozilla/5\.0 )?zoom[/.]")),
    (DESKTOP_APP, "Discord", " discord/"),
    (DESKTOP_APP, "Slack", re.compile(r"slack(_ssb)?/(?!.*cfnetwork)")),
    (DESKTOP_APP, "Thunderbird", "thunderbird/"),
    (DESKTOP_APP, "Steam", re.compile(r"valve (steam|client)|^valve/steam")),
    (DESKTOP_APP, "Visual Studio Code", re.compile(r" code/[\d.]+ |^vscode")),
    (DESKTOP_APP, "JetBrains IDE", re.compile(r"^(intellij|pycharm|jetbrains|webstorm|goland|phpstorm)")),
    (DESKTOP_APP, "Electron app", " electron/"),
)

_LIBRARIES: tuple[Rule, ...] = (
    (LIBRARY, "AWS command line", "^aws-cli/"),
    (LIBRARY, "AWS library", re.compile(r"^(boto3?|botocore|aws-sdk)[-/]")),
    (LIBRARY, "Google Cloud command line", re.compile(r"^(google-cloud-sdk|gcloud|apitools)")),
    (LIBRARY, "Azure command line", re.compile(r"^(azurecli|azsdk|azcopy)")),
    (LIBRARY, "Terraform", re.compile(r"^(hashicorp )?terraform/")),
    (LIBRARY, "Ansible", "^ansible-httpget"),
    (LIBRARY, "kubectl", "^kubectl"),
    (LIBRARY, "Git", re.compile(r"^(git|jgit)/")),
    (LIBRARY, "Git LFS", "^git-lfs/"),
    (LIBRARY, "GitHub command line", "^github cli"),
    (LIBRARY, "Subversion", "^svn/"),
    (LIBRARY, "rclone", "^rclone/"),
    (LIBRARY, "aria2", "^aria2/"),
    (LIBRARY, "yt-dlp", "yt-dlp"),
    (LIBRARY, "HTTPie", "^httpie/"),
    (LIBRARY, "Postman", "^postmanruntime/"),
    (LIBRARY, "Insomnia", "^insomnia/"),
    (LIBRARY, "PowerShell", re.compile(r"powershell/")),
    (LIBRARY, "Wget", "^wget"),
    (LIBRARY, "python-requests", "^python-requests/"),
    (LIBRARY, "Python urllib", re.compile(r"^python-urllib3?/")),
    (LIBRARY, "python-httpx", "^python-httpx/"),
    (LIBRARY, "aiohttp", "aiohttp/"),
    (LIBRARY, "Scrapy", "^scrapy/"),
    (LIBRARY, "Go", re.compile(r"^go-http-client/|^go \d.* package http")),
    (LIBRARY, "Go resty", "^go-resty/"),
    (LIBRARY, "Apache HttpClient", re.compile(r"^apache-httpclient/|^apache-httpasyncclient")),
    (LIBRARY, "Jetty", "^jetty/"),
    (LIBRARY, "Java", re.compile(r"^java(-http-client)?/")),
    (LIBRARY, "axios", "^axios/"),
    (LIBRARY, "node-fetch", "^node-fetch"),
    (LIBRARY, "undici", "^undici"),
    (LIBRARY, "got", re.compile(r"^got[/ ]")),
    (LIBRARY, "Node.js", re.compile(r"^node(\.js)?$|^node[-/]")),
    (LIBRARY, "Deno", "^deno/"),
    (LIBRARY, "Guzzle", "^guzzlehttp"),
    (LIBRARY, "PHP", "^php/"),
    (LIBRARY, "Perl LWP", re.compile(r"^(libwww-perl|lwp)")),
    (LIBRARY, "Ruby", re.compile(r"^(ruby$|ruby/|faraday|rest-client/|typhoeus)")),
    (LIBRARY, "reqwest", "^reqwest/"),
    (LIBRARY, "Rust hyper", "^hyper/"),
    (LIBRARY, "RestSharp", "^restsharp/"),
    (LIBRARY, ".NET", re.compile(r"^(\.net|dotnet|microsoft \.net|ms-webservices)")),
    (LIBRARY, "WinHTTP", re.compile(r"winhttp")),
    (LIBRARY, "libsoup", "libsoup/"),
    (LIBRARY, "curl", re.compile(r"\bcurl/|^libcurl")),
    (LIBRARY, "Cronet", "cronet/"),
)

RULES: tuple[Rule, ...] = (
    *_AI_AGENTS, *_BOTS, *_DEVICES, *_PACKAGE_MANAGERS, *_UPDATES, *_MEDIA_PLAYERS, *_APPS, *_LIBRARIES,
)  # fmt: skip

# ua-parser's names of what has no rule above.
APP_FAMILIES = frozenset({
    "BytedanceWebview", "Chrome Mobile WebView", "Facebook", "Facebook Messenger", "GmailApp", "Google", "Instagram",
    "KakaoTalk", "LINE", "LinkedIn", "Mobile Safari UI/WKWebView", "Outlook-iOS", "Pinterest", "Snapchat", "TikTok",
    "Twitter", "WeChat",
})  # fmt: skip
BROWSER_FAMILIES = frozenset({
    "Amazon Silk", "Brave", "Chrome", "Chrome Mobile", "Chrome Mobile iOS", "Chromium", "DuckDuckGo",
    "DuckDuckGo Mobile", "Edge", "Edge Mobile", "Epiphany", "Firefox", "Firefox Focus", "Firefox Mobile", "Firefox iOS",
    "IE", "IE Mobile", "Konqueror", "Links", "Lynx", "MIUI Browser", "Mobile Safari", "Opera", "Opera Mini",
    "Opera Mobile", "QQ Browser", "Safari", "Samsung Internet", "UC Browser", "Vivaldi", "Yandex Browser", "w3m",
})  # fmt: skip
