"""A name server whose answers a test decides, and may change from one question to the next.

It is asked over TCP (RFC 7766): each message follows its length, in two bytes.
"""

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class Names:
    """``addresses`` of a name: one list for each time it is asked for, the last one for good.

    Addresses of either family are asked for by questions of their own, in any order; ``asked`` are
    the names of those for the first.
    """

    server: str = ""
    addresses: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    times: Counter[tuple[str, int]] = field(default_factory=Counter)

    def points(self, name: str, *turns: list[str]) -> None:
        """Have a name point to these addresses, first time first."""
        self.addresses[name] = list(turns)
        self.times.clear()


class _Handler(socketserver.StreamRequestHandler):
    names: Names

    def handle(self) -> None:
        while length := self.rfile.read(2):
            answer = self._answer(self.rfile.read(int.from_bytes(length))).to_wire()
            self.wfile.write(len(answer).to_bytes(2) + answer)

    def _answer(self, asked: bytes) -> dns.message.Message:
        query = dns.message.from_wire(asked)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        turns = self.names.addresses.get(name)
        if turns is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            time = self.names.times[name, question.rdtype]
            self.names.times[name, question.rdtype] += 1
            turn = turns[min(time, len(turns) - 1)]
            wanted = [one for one in turn if _kind(one) == question.rdtype]
            if wanted:
                kind = dns.rdatatype.to_text(question.rdtype)
                answer.answer.append(dns.rrset.from_text(question.name, 0, "IN", kind, *wanted))
            if question.rdtype == dns.rdatatype.A:
                self.names.asked.append(name)
        return answer


def _kind(address: str) -> dns.rdatatype.RdataType:
    return dns.rdatatype.AAAA if ":" in address else dns.rdatatype.A


@contextmanager
def serve() -> Iterator[Names]:
    """Start one."""
    names = Names()
    handler = type("Handler", (_Handler,), {"names": names})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        names.server = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield names
        finally:
            server.shutdown()
            thread.join()
