A=a
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do A="$A$A"; done
ip route add 10.0.0.0/8 dev $A
ip route add 10.1.0.0/16 dev ib0 table 5
