"""gunicorn's threaded worker, in which a thread only works: whatever waits for a client waits in the poller.

As it comes, a thread is held by a connection that is silent, one that stops in the middle of its request, and one that
doesn't read its answer; and all of them by one that is not hung up after its last answer. Eight such connections, and
nobody is answered. Here they cost a place in the poller, and are closed when their time is over.
"""

from __future__ import annotations

import errno
import resource
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from threading import Barrier
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from proxyweb.memory import Thrift
from proxyweb.web_arrival import NeverWhole, arrived, ends_here, missing, read_ahead
from proxyweb.web_connection import Connection

ARRIVAL_SECONDS = 10.0
TAKING_SECONDS = 30.0  # without any progress
LINGER_SECONDS = 2.0
MOST_PASSED_OVER = 64 * 1024
MOST_UNSENT = 64 * 1024 * 1024
SWEEP_SECONDS = 0.25
LIFE_SECONDS = 10.0  # of a connection that goes on; then its client comes anew, and to the worker that has time
TURN_SECONDS = 0.001  # after a connection is accepted, in which the next one is another worker's
FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
FULL_SECONDS = 0.1
OWN_DESCRIPTORS = 100  # for databases, and for connections that are only closed yet
SWITCH_SECONDS = 0.0005  # at Python's 5 ms, a short answer waits that long for an export at each look into the database


class Worker(ThreadWorker):  # type: ignore[misc]
    """`worker_class` of `proxyweb serve`."""

    def init_process(self) -> None:
        self._waiting: dict[Connection, bool] = {}  # whether it is one of `nr_conns`
        self._unsent: dict[Connection, None] = {}  # those whose answer waits for them, the oldest first
        self._swept = 0.0
        self._rest_seconds, self._conns_before = 0.0, 0
        self.worker_connections = min(self.cfg.worker_connections, _most_connections())
        self._thrift = Thrift()
        sys.setswitchinterval(SWITCH_SECONDS)
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """With all its threads from the start. Later there may be no memory for one, and the worker would end of it."""
        pool: ThreadPoolExecutor = super().get_thread_pool()
        all_here = Barrier(self.cfg.threads + 1)
        for _ in range(self.cfg.threads):
            pool.submit(all_here.wait)
        all_here.wait()
        return pool

    def load_wsgi(self) -> None:
        super().load_wsgi()
        from proxyweb import web_refusal  # here, since the master does without the application

        self._refusal = web_refusal
        self._without_memory = web_refusal.without_memory()

    def notify(self) -> None:
        """Called every second: the master is told that this worker lives."""
        super().notify()
        self._thrift.look()

    def accept(self, listener: socket.socket) -> None:
        try:
            accepted, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._rest_seconds = FULL_SECONDS  # clients wait in the queue until others have gone
            return
        self.nr_conns += 1
        self.enqueue_req(Connection(self.cfg, accepted, address, listener.getsockname(), self._linger))
        if self.cfg.workers > 1 and self.nr_conns > self._conns_before:
            self._rest_seconds = TURN_SECONDS
        self._conns_before = self.nr_conns

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Who has just accepted one connection more leaves the next to others for a moment.

        Else the worker that wakes up first takes all that come together, as the six of a browser, and answers them
        alone: a third as fast as two do.
        """
        if self._rest_seconds:
            timeout, self._rest_seconds = min(timeout, self._rest_seconds), 0.0
            self.set_accept_enabled(False)
        try:
            super().wait_for_and_dispatch_events(timeout)
        except MemoryError:  # of one connection; the others' turn comes again
            self.log.error("There is no memory left for a connection.")
            self._rest_seconds = FULL_SECONDS

    # --- a request that is arriving ---

    def enqueue_req(self, conn: Connection) -> None:
        """Called in the main thread whenever a connection may have a request."""
        try:
            here = arrived(conn)
            lacks = missing(here) if here is not None else 0
            if lacks and ends_here(conn.sock):
                raise NeverWhole
        except (NeverWhole, OSError):
            self._drop(conn)
            return
        except MemoryError:  # to look at what came takes 130 KB
            self._turn_away(conn)
            return
        if here is not None and lacks:
            wanted = len(here) - len(read_ahead(conn)) + lacks
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
            conn.ends = conn.ends or time.monotonic() + ARRIVAL_SECONDS
            self._wait(conn, EVENT_READ, self.enqueue_req)
            return
        if here is not None:
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        conn.data_ready, conn.ends = True, None
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Called in a thread. Connections that came while a worker was away would else be another one's for ever."""
        if time.monotonic() - conn.begun > LIFE_SECONDS:
            req.force_close()
        return bool(super().handle_request(req, conn))

    def _turn_away(self, conn: Connection) -> None:
        self.nr_conns -= 1
        self._refusal.count_turned_away(self.wsgi, 503)
        try:
            conn.sock.setblocking(False)
            conn.sock.send(self._without_memory)
            self._linger(conn)
        except (OSError, MemoryError):
            conn.close()

    # --- an answer that is taken slowly ---

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """Called in the main thread when a thread is done with a request; the client may not have taken all of it."""
        if not conn.sock.unsent or fs.cancelled():
            super().finish_request(conn, fs)
            return
        conn.ends = time.monotonic() + TAKING_SECONDS
        self._unsent[conn] = None
        self._wait(conn, EVENT_WRITE, partial(self._send, fs=fs))
        while len(self._unsent) > 1 and sum(each.sock.unsent for each in self._unsent) > MOST_UNSENT:
            self._drop(next(iter(self._unsent)))

    def _send(self, conn: Connection, fs: Any) -> None:
        before = conn.sock.unsent
        try:
            conn.sock.send_rest()
        except OSError:
            self._drop(conn)
            return
        if not conn.sock.unsent:
            del self._unsent[conn]
            conn.ends = None
            super().finish_request(conn, fs)
            return
        conn.ends = time.monotonic() + TAKING_SECONDS if conn.sock.unsent < before else conn.ends
        self._wait(conn, EVENT_WRITE, partial(self._send, fs=fs))

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """What has come of a body that nobody read is passed over; one that has not come ends the connection."""
        conn.sock.settimeout(0.0)
        try:
            return keepalive and bool(conn.parser.finish_body(max_bytes=MOST_PASSED_OVER))
        except BlockingIOError:
            return False

    # --- a connection that is closed ---

    def _linger(self, conn: Connection) -> None:
        """Hang up, but leave the client some time to read: unread bytes of its own would take the answer from it."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            conn.close()
            return
        conn.ends = time.monotonic() + LINGER_SECONDS
        self._wait(conn, EVENT_READ, self._pass_over, counts=False)

    def _pass_over(self, conn: Connection) -> None:
        try:
            unread = len(conn.sock.recv(MOST_PASSED_OVER))
        except BlockingIOError:
            unread = 1
        except OSError:
            unread = 0
        conn.passed_over += unread
        if not unread or conn.passed_over > MOST_PASSED_OVER:
            conn.close()
            return
        self._wait(conn, EVENT_READ, self._pass_over, counts=False)

    # --- waiting ---

    def _wait(self, conn: Connection, event: int, then: Callable[[Connection], None], *, counts: bool = True) -> None:
        """Call `then` once at the `event`, unless `conn.ends` comes before it."""
        conn.sock.setblocking(False)
        self._waiting[conn] = counts
        self.poller.register(conn.sock, event, partial(self._happened, conn, then))

    def _happened(self, conn: Connection, then: Callable[[Connection], None], _socket: socket.socket) -> None:
        if conn in self._waiting:  # and not closed by what happened to another one in the same turn
            self._forget(conn)
            then(conn)

    def _forget(self, conn: Connection) -> None:
        if conn in self._waiting:
            self.poller.unregister(conn.sock)
            del self._waiting[conn]

    def _drop(self, conn: Connection) -> None:
        """Close it, whatever is still to be sent or read."""
        if self._waiting.get(conn, True):
            self.nr_conns -= 1
        self._forget(conn)
        self._unsent.pop(conn, None)
        conn.close()

    def murder_pending(self) -> None:
        """Called at every turn of the main thread."""
        super().murder_pending()
        now = time.monotonic()
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        for conn in [conn for conn in self._waiting if conn.ends is not None and conn.ends <= now]:
            self._drop(conn)

    # --- what is no request ---

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answered as every failure is, in the same shape and with the same headers; gunicorn says the status."""
        if isinstance(exc, MemoryError):
            status, answer = 503, self._without_memory
        else:
            said = _Said()
            super().handle_error(req, said, addr, exc)
            status_line = said.content.partition(b"\r\n")[0].decode("latin-1")
            status, answer = int(status_line.split()[1]), self._refusal.of(status_line)
        if req is None:  # and so was not counted by the application
            self._refusal.count_turned_away(self.wsgi, status)
        client.sendall(answer)


def _most_connections() -> int:
    """How many this process may have, so that enough descriptors are left for what it does with them."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit - min(OWN_DESCRIPTORS, limit // 2) if limit != resource.RLIM_INFINITY else sys.maxsize


class _Said:
    """Takes what gunicorn would have answered."""

    def __init__(self) -> None:
        self.content = b""

    def gettimeout(self) -> float:
        return 0.0

    def sendall(self, content: bytes) -> None:
        self.content = content
