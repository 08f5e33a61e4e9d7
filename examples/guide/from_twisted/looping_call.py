from twisted.internet import reactor, task

count = 0


def called():
    global count
    count += 1
    print(f"called {count} times")
    if count == 3:
        loop.stop()


def start():
    d = loop.start(1)
    d.addCallback(lambda _: print("Loop done."))
    d.addErrback(lambda f: print(f.getBriefTraceback()))
    d.addBoth(lambda _: reactor.stop())


loop = task.LoopingCall(called)
reactor.callWhenRunning(start)
reactor.run()
