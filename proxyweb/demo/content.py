"""Forty content types with what goes with each: file extension, usual size, and the kind of path it is found under."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """Paths of one sort: folders and query tails around a token, and whole names for what is asked for again."""

    folders: tuple[str, ...]
    tails: tuple[str, ...]
    names: tuple[str, ...]
    versions: tuple[str, ...] = ("", "", "?v=3.2.1")


@dataclass(frozen=True, slots=True)
class Kind:
    """A content type; `size` is the median in bytes."""

    content_type: str
    extension: str
    size: int
    family: str


FAMILIES = {
    "page": Family(
        (
            "/news/2024/05/article-",
            "/product/details/",
            "/forum/thread-",
            "/search/results/",
            "/blog/posts/",
            "/kategorie/",
        ),
        ("", "?ref=home&page=2", "?utm_source=newsletter&utm_medium=email&utm_campaign=may", "?lang=en&sort=newest"),
        ("/", "/index", "/about/company", "/contact", "/news/latest/overview", "/products/new-arrivals"),
        ("", "", "?lang=en"),
    ),
    "script": Family(
        ("/static/js/chunk-", "/assets/build/app.", "/wp-content/themes/main/", "/_next/static/chunks/pages/"),
        ("", "?ver=6.5.3&cb=1715172411", "?cb=1715172411&async=true"),
        ("/static/js/vendor", "/assets/main", "/wp-includes/js/jquery/jquery.min", "/css/site", "/dist/runtime"),
    ),
    "image": Family(
        (
            "/images/uploads/2024/05/",
            "/media/cache/thumbs/",
            "/img/products/large/",
            "/wp-content/uploads/photo-",
            "/avatars/u/",
        ),
        ("", "?w=640&q=75&dpr=2&format=auto", "?width=1200&height=800&fit=crop&auto=format", "?s=96"),
        ("/favicon", "/images/logo", "/img/header-background", "/assets/icons/sprite", "/pixel"),
    ),
    "api": Family(
        ("/api/v1/items/", "/api/v2/users/sessions/", "/rest/events/", "/graphql/persisted/", "/telemetry/collect/"),
        (
            "?page=2&per_page=50&sort=desc&embed=author",
            "?session=4f1e9c&tz=Europe%2FBerlin",
            "?format=full&include=owner,tags",
            "",
        ),
        ("/api/v1/login", "/api/v2/status", "/api/config/client", "/ping", "/rpc/heartbeat"),
    ),
    "download": Family(
        (
            "/debian/pool/main/p/package-",
            "/msdownload/update/software/secu/2024/05/windows10.0-kb",
            "/releases/download/v1.4/build-",
        ),
        ("", "?P1=1715172411&P2=404&P3=2", "?token=a81c4e2f&expires=1717200000"),
        ("/files/catalogue", "/files/setup-latest", "/msdownload/update/v3/static/trustedr/en/authrootstl"),
    ),
    "stream": Family(
        ("/hls/live/1080p/segment-", "/vod/2024/episode-12/", "/video/seg/range/"),
        ("", "?range=0-1048575&itag=137", "?sig=9b1deb4d&ttl=3600&client=web"),
        ("/hls/live/1080p/index", "/vod/intro", "/radio/stream"),
    ),
}

KINDS = (
    Kind("text/html", "", 9_000, "page"),
    Kind("application/json", "", 1_400, "api"),
    Kind("image/jpeg", ".jpg", 22_000, "image"),
    Kind("application/javascript", ".js", 14_000, "script"),
    Kind("image/png", ".png", 6_000, "image"),
    Kind("text/plain", "", 700, "api"),
    Kind("text/css", ".css", 8_000, "script"),
    Kind("image/gif", ".gif", 500, "image"),
    Kind("application/octet-stream", ".bin", 60_000, "download"),
    Kind("text/javascript", ".js", 12_000, "script"),
    Kind("image/webp", ".webp", 12_000, "image"),
    Kind("application/xml", ".xml", 2_500, "api"),
    Kind("font/woff2", ".woff2", 24_000, "script"),
    Kind("image/svg+xml", ".svg", 1_900, "image"),
    Kind("text/xml", ".xml", 3_000, "api"),
    Kind("application/x-javascript", ".js", 11_000, "script"),
    Kind("video/mp4", ".mp4", 900_000, "stream"),
    Kind("application/vnd.ms-cab-compressed", ".cab", 180_000, "download"),
    Kind("application/ocsp-response", "", 1_500, "api"),
    Kind("image/x-icon", ".ico", 1_100, "image"),
    Kind("application/pdf", ".pdf", 240_000, "download"),
    Kind("application/vnd.apple.mpegurl", ".m3u8", 1_200, "stream"),
    Kind("video/mp2t", ".ts", 600_000, "stream"),
    Kind("application/x-debian-package", ".deb", 120_000, "download"),
    Kind("application/zip", ".zip", 400_000, "download"),
    Kind("application/pkix-crl", ".crl", 4_000, "download"),
    Kind("application/font-woff", ".woff", 26_000, "script"),
    Kind("image/avif", ".avif", 9_000, "image"),
    Kind("application/x-gzip", ".gz", 90_000, "download"),
    Kind("audio/mpeg", ".mp3", 500_000, "stream"),
    Kind("application/x-www-form-urlencoded", "", 600, "api"),
    Kind("application/grpc-web+proto", "", 900, "api"),
    Kind("application/x-xz", ".xz", 150_000, "download"),
    Kind("application/x-msdownload", ".exe", 700_000, "download"),
    Kind("text/event-stream", "", 5_000, "api"),
    Kind("application/wasm", ".wasm", 160_000, "script"),
    Kind("application/rss+xml", ".rss", 14_000, "api"),
    Kind("application/manifest+json", ".webmanifest", 600, "script"),
    Kind("application/x-shockwave-flash", ".swf", 40_000, "stream"),
    Kind("multipart/form-data", "", 300, "api"),
)
