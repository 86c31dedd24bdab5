"""What kind of file an extension stands for, and which extension a URL's path ends in."""

from __future__ import annotations

OTHER = "other"
# As a proxy meets them: .ts is a piece of an MPEG stream far more often than TypeScript. .com is left out, since a path
# that ends in it names a site (/ip3/example.com) far more often than a DOS program.
EXTENSIONS = {
    "documents": "pdf doc docx docm dot dotx dotm odt ott fodt rtf txt md rst tex pages wpd wps xps oxps epub mobi"
    " azw azw3 djvu log msg eml mbox ics vcf one pub vsd vsdx",
    "spreadsheets": "xls xlsx xlsm xlsb xlt xltx xltm xlam ods ots fods numbers",
    "presentations": "ppt pptx pptm pps ppsx ppsm pot potx potm odp otp fodp key",
    "images": "jpg jpeg jpe jfif png gif webp avif svg svgz ico cur bmp tif tiff heic heif jxl jp2 apng psd ai eps"
    " xcf cr2 cr3 nef arw dng indd sketch",
    "video": "mp4 m4v m4s m4f mkv webm mov avi wmv flv f4v mpg mpeg mpe m2ts mts ts 3gp 3g2 ogv vob m3u8 mpd ism"
    " ismv cmfv vtt srt",
    "audio": "mp3 m4a m4b aac ogg oga opus wav flac wma aif aiff mid midi amr ac3 mka cmfa m3u pls weba",
    "archives": "zip gz tgz bz2 tbz tbz2 xz txz zst tzst 7z rar tar lz lz4 lzma lzh arj ace cab cpio z br sit sitx"
    " war ear whl gem nupkg crate",
    "executables": "exe msi msix msixbundle appx appxbundle msp msu dll sys scr cpl ocx pif deb rpm apk aab xapk"
    " ipa pkg mpkg appimage snap flatpak flatpakref bin run elf so dylib crx xpi vsix efi lnk jar class psf esd",
    "scripts": "sh bash zsh ps1 psm1 psd1 bat cmd vbs vbe jse wsf wsh hta py pyw pl rb lua tcl awk reg scpt",
    "web": "html htm xhtml shtml mhtml mht css js mjs cjs map wasm php php5 phtml asp aspx ashx asmx axd jsp jspx"
    " do action cgi cfm svc swf less scss sass appcache vue",
    "data": "json jsonl ndjson json5 geojson jsonld xml xsl xslt xsd csv tsv yaml yml toml ini conf cfg plist rss"
    " atom rdf parquet avro orc pb protobuf arrow feather hdf5 h5 kml gpx pbf mvt dat torrent npy pkl",
    "fonts": "woff woff2 ttf otf eot ttc pfb",
    "disk images": "iso img dmg vhd vhdx vmdk vdi qcow2 ova ovf wim swm nrg cue toast",
    "databases": "sql sqlite sqlite3 db db3 mdb accdb dbf mdf ldf bak dump kdbx frm ibd",
    "code": "c h cc cpp cxx hpp hxx cs java kt kts go rs swift scala jsx tsx vb fs dart ipynb gradle proto patch"
    " diff asm",
    "certificates": "crt cer der pem crl ocsp p7b p7c p7s p12 pfx csr jks keystore gpg asc sig pgp",
}
_CATEGORIES = {f".{extension}": category for category, names in EXTENSIONS.items() for extension in names.split()}
CATEGORIES = (*EXTENSIONS, OTHER)
LONGEST = 10


def category_of(extension: str) -> str:
    """The kind of file behind an extension as `extension_of` gives it (`.js`); `other` when it is not known."""
    return _CATEGORIES.get(extension, OTHER)


def extension_of(path: str) -> str:
    """The extension of a URL's path, folded and with its dot (`.js`), or nothing.

    Only of what follows the last slash, never of a query or fragment: 1 to 10 ASCII letters and digits, a letter among
    them, after a name: `/.htaccess` and `/v1.2` have none, `/a.tar.gz` has `.gz`. `path` holds no host: `example.com`
    alone would be a file.
    """
    if "?" in path:
        path = path[: path.index("?")]
    if "#" in path:
        path = path[: path.index("#")]
    dot = path.rfind(".")
    if dot <= path.rfind("/") + 1:
        return ""
    letters = path[dot + 1 :]
    if len(letters) > LONGEST or not letters.isascii() or not letters.isalnum() or letters.isdigit():
        return ""
    return f".{letters.lower()}"
