"""Python processes that start in milliseconds: forks of one that has imported what they need.

Importing torch, diffusers and transformers takes four seconds of processor time, and the tests start many processes
that do. Here one process, ``server``, imports them once. Whoever starts such a process asks the server to fork
(``client``), hands over the arguments, the environment and the open files, and becomes the parent of the fork. From
then on the fork is what a new process would be: it has its own id, files, folder, environment, command line and exit
code, and dies with its parent. A whole worker is started anew, as ever; what forks is its GPU process.

Only tests do so. The program knows nothing of it: ``client`` stands in for the function of the standard library that
starts a process. Tests of the start itself have the fixture ``new_processes``, with which nothing forks.
"""
