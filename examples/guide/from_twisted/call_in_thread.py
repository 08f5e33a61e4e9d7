import time

from twisted.internet import reactor


def a_silly_blocking_function(text):
    time.sleep(2)
    print(text)


def in_thread():
    a_silly_blocking_function("2 seconds have passed")
    reactor.callFromThread(reactor.stop)


reactor.callInThread(in_thread)
reactor.callLater(1, print, "the reactor runs meanwhile")
reactor.run()
