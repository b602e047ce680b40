# SPDX-License-Identifier: MIT
"""A web service that answers in pages, in every style, and misbehaves when it is told to.

    with PagedSim(rows) as sim:             # rows: {"id": 1, "at": "2024-05-01T00:00:00Z", ...}
        sim.url + "/cursor?from=...&to=..."  # the path is the style: sim.STYLES
        sim.bad = "endless"                  # one of those below; None = it behaves
        sim.hold_at(4)                       # page 4 waits until sim.release(); sim.held says that it does
        sim.asked                            # [(style, page)]

same_cursor: page 2 leads to page 2.  same_page: every page is page 1.  lost: the total is that of page 1,
but a row of it is gone when page 2 is asked for.  status_500: page 3.  cut: page 3 breaks off.
other_host: page 2 leads to another host.  endless: there is always another page.
more: the end says that there is more.
"""
import base64
import http.server
import json
import threading
import urllib.parse

SIZE = 50
OTHER_HOST = "http://other.invalid/next"


def encode(offset):
    """A cursor with bytes that have to be percent-encoded, and a quote that JSON escapes."""
    return base64.b64encode(f"<{offset}>~\"".encode()).decode() + '+/="' + "x" * 500


def decode(cursor):
    return int(base64.b64decode(cursor[:-504]).decode()[1:-3])


class PagedSim:
    STYLES = ("page", "offset", "cursor", "last_record", "link", "next_url", "odata", "header", "csv", "jsonl")

    def __init__(self, rows, size=SIZE):
        self.rows, self.size = rows, size
        self.bad = None
        self.asked = []
        self.lock = threading.Lock()
        self.hold_page, self.held, self.released = None, threading.Event(), threading.Event()
        sim = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format, *args):  # noqa: A002
                pass

            def do_GET(self):
                sim.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.release()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def hold_at(self, page):
        self.held.clear()
        self.released.clear()
        self.hold_page = page

    def release(self):
        self.hold_page = None
        self.released.set()

    def within(self, query):
        return [r for r in self.rows if query["from"] <= r["at"] < query["to"]]

    def offset_of(self, style, query, rows):
        """Where the page begins that the query asks for."""
        if style in ("page", "csv", "jsonl"):
            return (int(query["page"]) - 1) * self.size
        if style == "last_record":
            after = int(query.get("after", -1))
            return next((i for i, r in enumerate(rows) if r["id"] > after), len(rows))
        if style == "offset":
            return int(query["offset"])
        return decode(query["cursor"]) if "cursor" in query else 0

    def answer(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        style = url.path.strip("/")
        rows = self.within(query)
        total = len(rows)
        page = -(-self.offset_of(style, query, rows) // self.size) + 1
        with self.lock:
            self.asked.append((style, page))
        if self.hold_page == page:
            self.held.set()
            self.released.wait(120)
        if self.bad == "lost" and page > 1:
            rows = rows[1:]
        if self.bad == "same_page":
            page = 1
        begin = self.offset_of(style, query, rows) if self.bad != "same_page" else 0
        out = rows[begin:begin + self.size]
        if self.bad == "endless":
            out = [{**rows[0], "id": begin + i} for i in range(self.size)]
        self.send(handler, style, query, out, self.next_of(style, begin, page, rows), total, page)

    def next_of(self, style, begin, page, rows):
        """The offset of the next page, None at the end."""
        if self.bad == "same_cursor" and page == 2:
            return begin
        return begin + self.size if self.bad == "endless" or begin + self.size < len(rows) else None

    def send(self, handler, style, query, rows, following, total, page):
        headers, status = {"Content-Type": "application/json"}, 200
        body = {"data": rows, "total": 0 if self.bad == "endless" else total}
        if following is not None:
            again = {k: query[k] for k in ("from", "to")} | {"cursor": encode(following)}
            link = f"/{style}?" + urllib.parse.urlencode(again)
            other = OTHER_HOST if self.bad == "other_host" and page == 2 else None
            if style == "cursor":
                body["meta"] = {"next_cursor": encode(following)}
            elif style == "link":
                headers["Link"] = f'</x?a=1,2>; rel="first", <{other or link}>; rel="next"'
            elif style == "next_url":
                body["next"] = other or self.url + link
            elif style == "odata":
                body["@odata.nextLink"] = other or link.lstrip("/")
            elif style == "header":
                headers["X-My-Next"] = encode(following)
        elif self.bad == "more":
            body["has_more"] = True
        data = json.dumps(body).encode()
        if style == "jsonl":
            data = "".join(json.dumps(r) + "\n" for r in rows).encode()
        if style == "csv":
            data = "".join(",".join(map(str, r)) + "\r\n" for r in [["id", "at", "v"]] + [
                list(r.values()) for r in rows]).encode()
            headers["Content-Type"] = "text/csv"
        if self.bad == "status_500" and page == 3:
            status, data = 500, b"broken"
        self.write(handler, status, headers, data, self.bad == "cut" and page == 3)

    @staticmethod
    def write(handler, status, headers, data, cut):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        try:
            handler.wfile.write(data[:len(data) // 2] if cut else data)
        except OSError:
            handler.close_connection = True  # whoever asked is gone
        if cut:
            handler.close_connection = True
