import threading

from ner.turns import Turns


def test_everybody_has_their_turn_in_the_order_in_which_they_came() -> None:
    turns, served, threads = Turns(60), [], []
    with turns.turn():
        for number in range(10):
            came = threading.Event()

            def work(number: int = number, came: threading.Event = came) -> None:
                came.set()
                with turns.turn():
                    served.append(number)

            threads.append(threading.Thread(target=work))
            threads[-1].start()
            came.wait()
            while len(turns._waiting) <= number:
                threading.Event().wait(0.001)
        assert served == []
    for thread in threads:
        thread.join()
    assert served == list(range(10))


def test_one_who_waited_too_long_goes_on_and_the_next_still_has_a_turn() -> None:
    turns = Turns(0.01)
    with turns.turn(), turns.turn():
        pass
    with turns.turn():
        assert turns._is_taken
    assert not turns._is_taken
    assert not turns._waiting


def test_a_turn_ends_when_its_block_fails() -> None:
    turns = Turns(60)
    for _ in range(2):
        try:
            with turns.turn():
                raise ValueError
        except ValueError:
            assert not turns._is_taken
