#!/usr/bin/env python3
"""kill -9 under load, three times on one database: every event that was answered 200 is there, exactly once."""

from harness import SLOW, House, case, finish, until
from load import LEAD, Load, check_kept

ROUNDS = 3


def kill_under_load():
    with House() as house:
        house.seed(LEAD)
        house.start()
        house.start_nginx()
        loads = []
        for turn in range(ROUNDS):
            pair = [Load(house, "nginx", 16, "nginx%d" % turn), Load(house, "kept", 16, "kept%d" % turn)]
            until(20, lambda pair=pair: all(len(load.good()) >= 300 for load in pair), "300 answers each")
            house.service.kill()
            house.service.wait()
            for load in pair:
                load.finish(10 * SLOW)
                assert not load.wrong, "%d wrong answers: %s" % (len(load.wrong), load.wrong[:3])
            loads += pair
            house.check_log()
            # The socket file is still there: the start has to see that nobody listens on it.
            house.start()
            check_kept(house, loads)
        house.stop()
        check_kept(house, loads)


case("kill -9 under load: each 200 is in the database once", kill_under_load)
finish()
