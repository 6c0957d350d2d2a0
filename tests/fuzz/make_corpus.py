#!/usr/bin/env python3
"""Writes the small corpora that the fuzz targets start from: one file a shape worth beginning with."""

import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))


def record(kind, content=b"", padding=0):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), padding, 0) + content + b"\0" * padding


def text(value):
    return bytes([len(value)]) + value


SEEDS = {
    "json": [
        b'{"a":"x","status":"new","n":[1,-0.5e+3,true,false,null]}',
        b'{"a":{"b":[[]]},"a":"\\ud83d\\ude00\\u00e9\\n"}',
        b' [ "\\ud800" , "\xf0\x9f\x98\x80", 9007199254740993 ] ',
        b"[" * 513,
        b'{"\\u0061":"\\u0000"}',
        b"\xef\xbb\xbf{}",
        b"01",
        b'"\xed\xa0\x80"',
    ],
    "request": [
        b'{"crm_lead_id":"crm-1","event_type":"status_changed","status":"won"}',
        b"q=a%20b+c&limit=50&cursor=&project=%C3%9C",
        b"\x01" + text(b"/analytics/leads?q=1") + b"\x05" + text(b"18446744073709551616") + b"\x04" + text(b"/cgi-bin/x"),
        b"2026-03-05T10:00:00.123+02:00",
        b"2026-02-29",
        b"9223372036854775807",
        b"q=%zz&q=%00",
    ],
    "cursor": [b"\0" * 7 + b"\x2a" + text(b"2026-03-05T10:00:00.000Z") + text(b"leads\0q=") + b"0123456789abcdef42-32303236"],
    "csv": [
        b'email,name\na@example.com,"Zo\xc3\xab ""Z"""\r\n"x\ny",z\n',
        b"\xef\xbb\xbfemail;phone\n;\n",
        b'"a","b"x\n',
        b'"open',
        b"\0\1\0\2\5a,\"\nb\1\0\2\3xyz\0",
    ],
    "arrival": [
        record(1, b"\0\1\1\0\0\0\0\0") + record(4, b"\x0e\x04REQUEST_METHODPOST", 3) + record(4) + record(5, b"{}") + record(5),
        record(1, b"\0\1\0\0\0\0\0\0") + record(2),
        record(9, b"\x0e\0FCGI_MAX_CONNS"),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\1\2\x09ABCDEFGHI\3\2\4abcd\7\1\5hello\0",
    ],
}

for target, seeds in SEEDS.items():
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    for number, seed in enumerate(seeds):
        with open(os.path.join(folder, "seed-%d" % number), "wb") as file:
            file.write(seed)
