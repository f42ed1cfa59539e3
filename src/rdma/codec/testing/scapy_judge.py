# Owns what scapy says of packets, for cross-check.net.test.ts. Reads one JSON value, writes one.
#   {"read": [hex, ...]}   frames: their fields, and the ICRC that they should have
#   {"make": [fields,...]} fields: the frames
# scapy's own ICRC is for IPv4; for IPv6 its layers give the masked bytes, and zlib the CRC.
import ipaddress
import json
import sys
import zlib

from scapy.contrib.roce import BTH, GRH
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw, raw


def icrc(frame):
    bth = frame[BTH]
    if IP in frame:
        return bth.compute_icrc(raw(bth)).hex()
    covered = frame.copy()
    if IPv6 in frame:
        covered[IPv6].tc, covered[IPv6].fl, covered[IPv6].hlim = 0xFF, 0xFFFFF, 0xFF
        covered[UDP].chksum = 0xFFFF
        start = covered[IPv6]
    else:
        covered[GRH].tclass, covered[GRH].flowlabel, covered[GRH].hoplmt = 0xFF, 0xFFFFF, 0xFF
        start = covered[GRH]
    covered[BTH].fecn = covered[BTH].becn = 1
    covered[BTH].resv6 = 0x3F
    data = b"\xff" * 8 + raw(start)[:-4]
    return zlib.crc32(data).to_bytes(4, "little").hex()


def gid(number):
    return str(ipaddress.IPv6Address(number))


def read(text):
    frame = Ether(bytes.fromhex(text))
    bth = frame[BTH]
    ip = frame[IP] if IP in frame else frame[IPv6] if IPv6 in frame else None
    return {
        "vlans": [tag.vlan for tag in frame.iterpayloads() if isinstance(tag, Dot1Q)],
        "source": ip.src if ip else gid(frame[GRH].sgid),
        "destination": ip.dst if ip else gid(frame[GRH].dgid),
        "sourcePort": frame[UDP].sport if UDP in frame else 0,
        "opcode": bth.opcode,
        "solicited": bool(bth.solicited),
        "migrated": bool(bth.migreq),
        "pad": bth.padcount,
        "version": bth.version,
        "pKey": bth.pkey,
        "fecn": bool(bth.fecn),
        "becn": bool(bth.becn),
        "destQp": bth.dqpn,
        "ackRequest": bool(bth.ackreq),
        "psn": bth.psn,
        "rest": raw(bth.payload).hex(),
        "icrc": icrc(frame),
    }


def make(fields):
    ip = IP(src=fields["source"], dst=fields["destination"], tos=fields["tos"], ttl=fields["ttl"], id=fields["id"])
    bth = BTH(
        opcode=fields["opcode"],
        padcount=fields["pad"],
        dqpn=fields["destQp"],
        psn=fields["psn"],
        pkey=fields["pKey"],
        migreq=fields["migrated"],
        becn=fields["becn"],
    )
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    if fields["vlan"] is not None:
        frame = frame / Dot1Q(vlan=fields["vlan"])
    udp = UDP(sport=fields["sourcePort"], dport=4791)
    return raw(frame / ip / udp / bth / Raw(bytes.fromhex(fields["rest"]))).hex()


asked = json.load(sys.stdin)
json.dump([read(one) for one in asked["read"]] if "read" in asked else [make(one) for one in asked["make"]], sys.stdout)
