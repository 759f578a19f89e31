"""A name server whose answers a test decides, and may change from one question to the next."""

import socketserver
import threading
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
    """``addresses`` of a name: one list for each time it is asked for, the last one for good."""

    server: str = ""
    addresses: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def points(self, name: str, *turns: list[str]) -> None:
        """Have a name point to these addresses, first time first."""
        self.addresses[name] = list(turns)


class _Handler(socketserver.BaseRequestHandler):
    names: Names

    def handle(self) -> None:
        data, sender = self.request
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        turns = self.names.addresses.get(name)
        if turns is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            wanted = [one for one in turns[0] if _kind(one) == question.rdtype]
            if wanted:
                kind = dns.rdatatype.to_text(question.rdtype)
                answer.answer.append(dns.rrset.from_text(question.name, 0, "IN", kind, *wanted))
            if question.rdtype == dns.rdatatype.AAAA:  # the second question of each time
                self.names.asked.append(name)
                if len(turns) > 1:
                    turns.pop(0)
        sender.sendto(answer.to_wire(), self.client_address)


def _kind(address: str) -> dns.rdatatype.RdataType:
    return dns.rdatatype.AAAA if ":" in address else dns.rdatatype.A


@contextmanager
def serve() -> Iterator[Names]:
    """Start one."""
    names = Names()
    handler = type("Handler", (_Handler,), {"names": names})
    with socketserver.UDPServer(("127.0.0.1", 0), handler) as server:
        names.server = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield names
        finally:
            server.shutdown()
            thread.join()
