#!/usr/bin/env python3
"""More kept connections than threads: nobody waits for an idle one."""

import threading
import time

from harness import SLOW, Fcgi, House, Http, case, event, finish, stored
from load import LEAD

CLIENTS = 200
ROUNDS = 3
BOUND_S = 2.0  # A starved connection waits until another is closed, which none is; a served one takes milliseconds.


def serves_all(connect):
    with House() as house:
        house.seed(LEAD)
        house.start(LEADLINE_THREADS="2")
        house.start_nginx()
        clients = [connect(house) for _ in range(CLIENTS)]
        try:
            one_after_the_other(clients)
            all_at_once(clients)
            # And once more: every connection has been idle and busy by now.
            one_after_the_other(clients)
        finally:
            for client in clients:
                client.close()
        assert house.query("SELECT count(*) FROM LeadCrmActivity") == [(CLIENTS * (2 + ROUNDS),)]
        house.stop()


def ask(client, number):
    begun = time.monotonic()
    answer = client.post(event("crm-1", client=number))
    took = time.monotonic() - begun
    assert (answer.status, answer.body) == (200, stored(1)), "client %d: %d %s" % (number, answer.status, answer.body)
    assert took < BOUND_S * SLOW, "client %d waited %.1f s" % (number, took)


def one_after_the_other(clients):
    for number, client in enumerate(clients):
        ask(client, number)


def all_at_once(clients):
    """Each client's events on a thread of its own, in step, so that all are in flight together."""
    step = threading.Barrier(len(clients))
    failures = []

    def run(number):
        try:
            for _ in range(ROUNDS):
                step.wait(30 * SLOW)
                ask(clients[number], number)
        except Exception as error:
            failures.append("%s" % error)
            step.abort()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, "%d clients: %s" % (len(failures), failures[0])


case("200 kept connections through nginx, 2 threads", serves_all, lambda house: Http(house.port))
case("200 kept connections straight to the service, 2 threads", serves_all, lambda house: Fcgi(house.socket))
finish()
